// Package pause carries the program of a pod's infra container, so that no registry is needed and no pull can fail.
// It never talks to an engine: whoever loads images takes the three things below.
package pause

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"io"

	"github.com/docker/docker/api/types/container"
)

// binary is built from pause.c by the Makefile; the exact line is at the top of that file.
//
//go:embed pause
var binary []byte

// Image is the name under which the image is loaded: its tag changes with the binary, so that what an engine has under
// this name is always this binary.
func Image() string {
	sum := sha256.Sum256(binary)
	return "dce/pause:" + hex.EncodeToString(sum[:])[:12]
}

// Rootfs is the image's only layer, a tar with /pause. Equal binaries give equal tars.
func Rootfs() io.Reader {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: "pause", Mode: 0o755, Size: int64(len(binary)), Format: tar.FormatUSTAR,
	})
	if err == nil {
		_, err = w.Write(binary)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic("pause: " + err.Error()) // can't happen: no input, no I/O
	}
	return &buf
}

// Config is the image's configuration.
func Config() container.Config {
	return container.Config{Entrypoint: []string{"/pause"}, StopSignal: "SIGTERM"}
}
