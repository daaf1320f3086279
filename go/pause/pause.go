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
	"math"
	"strconv"
	"time"

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

// Connected is the one byte that a connector writes before all that the other side sends.
const Connected = '+'

// Connect is the command that, run in the infra container, connects to a port of 127.0.0.1 or ::1 and relays stdin and
// stdout. It ends by itself after limit, rounded up to seconds; 0 is no limit. Where it can't connect it exits with the errno.
func Connect(ipv6 bool, port uint16, limit time.Duration) []string {
	family := "4"
	if ipv6 {
		family = "6"
	}
	seconds := min(math.Ceil(limit.Seconds()), 1<<30)
	return []string{"/pause", "connect", family, strconv.Itoa(int(port)), strconv.Itoa(int(seconds))}
}
