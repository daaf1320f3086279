package kernel

import (
	"bytes"
	"fmt"
	"os"
)

// initramfs makes an archive of the program as /init and nothing else, in the format that kernels unpack
// (Documentation/driver-api/early-userspace/buffer-format.rst, "newc").
func initramfs(program string) ([]byte, error) {
	init, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for i, entry := range []struct {
		name string
		mode uint32
		data []byte
	}{
		{"dev", 0o040755, nil}, {"proc", 0o040755, nil}, {"sys", 0o040755, nil},
		{"init", 0o100755, init}, {"TRAILER!!!", 0, nil},
	} {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
			i+1, entry.mode, 0, 0, 1, 0, len(entry.data), 0, 0, 0, 0, len(entry.name)+1, 0, entry.name)
		pad(&b)
		b.Write(entry.data)
		pad(&b)
	}
	return b.Bytes(), nil
}

func pad(b *bytes.Buffer) {
	for b.Len()%4 != 0 {
		b.WriteByte(0)
	}
}
