package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// redis is the address of a Redis server.
type redis string

// do sends one inline command on a connection of its own and returns the one line of its answer: a status or an integer.
func (r redis) do(command string) (string, error) {
	conn, err := net.DialTimeout("tcp", string(r), time.Second)
	if err != nil {
		return "", fmt.Errorf("redis at %s: %w", string(r), err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", fmt.Errorf("redis at %s: %w", string(r), err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("redis at %s: %w", string(r), err)
	}
	return parse(strings.TrimRight(line, "\r\n"))
}

// parse reads a reply of the Redis protocol that is one line long.
func parse(line string) (string, error) {
	switch {
	case strings.HasPrefix(line, "+"), strings.HasPrefix(line, ":"):
		return line[1:], nil
	case strings.HasPrefix(line, "-"):
		return "", errors.New("redis says: " + line[1:])
	}
	return "", fmt.Errorf("redis answers %q, which is neither a status nor an integer", line)
}
