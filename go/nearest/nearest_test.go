package nearest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTo(t *testing.T) {
	keys := []string{"image", "tty", "healthcheck.test", "job", "jog"}
	for name, want := range map[string]string{
		"imagee": "image", "imgae": "image", "IMAGE": "image", "tyt": "tty", "healthchek.tset": "healthcheck.test", "job": "job",
		"joo": "job", "": "", "xyz": "", "im": "", "ïmage": "image",
	} {
		require.Equal(t, want, To(name, keys), name)
	}
	require.Empty(t, To("a", nil))
}

func TestDistance(t *testing.T) {
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"", "abc"}: 3, {"abc", ""}: 3, {"abc", "abc"}: 0, {"abc", "axc"}: 1, {"abc", "acb"}: 1, {"kitten", "sitting"}: 3, {"é", "e"}: 1,
	} {
		require.Equal(t, want, distance(pair[0], pair[1]), pair)
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.StringN(0, 8, -1).Draw(t, "a"), rapid.StringN(0, 8, -1).Draw(t, "b")
		d := distance(a, b)
		require.Equal(t, d, distance(b, a))
		require.Equal(t, d == 0, a == b)
		require.LessOrEqual(t, d, max(len([]rune(a)), len([]rune(b))))
	})
}
