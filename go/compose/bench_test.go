package compose

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The first load of a process costs more: compose-go compiles its schema once.
func BenchmarkLoad(b *testing.B) {
	dir, err := filepath.Abs("testdata/shop")
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		_, err := Load(context.Background(), Source{Dir: dir})
		require.NoError(b, err)
	}
}

func BenchmarkRewriteAndConvert(b *testing.B) {
	dir, err := filepath.Abs("testdata/shop")
	require.NoError(b, err)
	project, err := Load(context.Background(), Source{Dir: dir})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		layout, err := Rewrite(project, target())
		require.NoError(b, err)
		_, _, err = Convert(layout)
		require.NoError(b, err)
	}
}
