package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// maxFrame bounds the memory that one entry may take; the engine's own entries end at 16 KiB.
const maxFrame = 1 << 20

// Logs reads the engine's frames itself: each is one entry of the log driver with its time before it
// (moby, api/server/httputils/write_log_stream.go), and copying the streams would lose where entries begin.
func (d *dockerAPI) Logs(ctx context.Context, id string, since time.Time, sink func(LogEntry) error) error {
	call := Call{MethodLogs, KindContainer, id}
	ctx, cancel, inTime := d.opening(ctx)
	defer cancel()
	found, err := d.cli.ContainerInspect(ctx, id)
	if err != nil {
		return d.opened(inTime(), call, err)
	}
	tty := found.Config.Tty
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true, Timestamps: !tty, Tail: "all"}
	if !since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	body, err := d.cli.ContainerLogs(ctx, id, options)
	if err = d.opened(inTime(), call, err); err != nil {
		return err
	}
	defer body.Close()
	if tty {
		return readRaw(body, sink)
	}
	return readFrames(body, sink)
}

// opened turns the error of a stream whose head did not come in time into that of a silent engine.
func (d *dockerAPI) opened(inTime bool, call Call, err error) error {
	if !inTime && errors.Is(err, context.Canceled) {
		return noAnswer(call, d.timeout, err)
	}
	return err
}

func readRaw(r io.Reader, sink func(LogEntry) error) error {
	buffer := make([]byte, 4<<10)
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			if err := sink(LogEntry{Data: buffer[:n]}); err != nil {
				return sinkError{err}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func readFrames(r io.Reader, sink func(LogEntry) error) error {
	const headerSize = 8 // stream, three zeros, length in big endian
	in := bufio.NewReader(r)
	var header [headerSize]byte
	var frame []byte
	for {
		if _, err := io.ReadFull(in, header[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		size := int(binary.BigEndian.Uint32(header[4:]))
		if size > maxFrame {
			return fmt.Errorf("a log entry of %d bytes is over the limit of %d", size, maxFrame)
		}
		if size > cap(frame) {
			frame = make([]byte, size)
		}
		frame = frame[:size]
		if _, err := io.ReadFull(in, frame); err != nil {
			return noEnd(err)
		}
		if stdcopy.StdType(header[0]) == stdcopy.Systemerr {
			return fmt.Errorf("the engine can't read the container's log: %s", frame)
		}
		entry, err := parseEntry(frame)
		if err != nil {
			return err
		}
		entry.Stderr = stdcopy.StdType(header[0]) == stdcopy.Stderr
		if err := sink(entry); err != nil {
			return sinkError{err}
		}
	}
}

func parseEntry(frame []byte) (LogEntry, error) {
	stamp, data, ok := bytes.Cut(frame, []byte(" "))
	at, err := time.Parse(time.RFC3339Nano, string(stamp))
	if !ok || err != nil {
		return LogEntry{}, fmt.Errorf("a log entry begins with %.40q where its time should be", frame)
	}
	return LogEntry{Time: at, Data: data}, nil
}

// noEnd marks an end inside of a message as unexpected.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
