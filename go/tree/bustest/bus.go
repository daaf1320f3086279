// Package bustest is a system bus with a systemd on it, for tests: it speaks the D-Bus protocol on a unix socket, keeps the slices
// that it is asked for, records each call and fails as it is told to. It makes no cgroup unless a test does so in OnStart.
package bustest

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/require"
)

// Call is what was asked of systemd.
type Call struct {
	Method     string
	Unit       string
	Properties map[string]any // of StartTransientUnit and SetUnitProperties
}

// Behaviour is how a systemd answers.
type Behaviour struct {
	Fail    map[string]string // by method, the name of the error that it answers instead of doing something
	Result  string            // of jobs; default "done"
	Silent  bool              // jobs never end
	OnStart func(unit string) // when a unit is started
}

// Bus is a running bus.
type Bus struct {
	Address string // for DBUS_SYSTEM_BUS_ADDRESS

	listener net.Listener
	mu       sync.Mutex
	as       Behaviour
	clients  map[*client]bool
	calls    []Call
	units    map[string]bool
	jobs     uint32
}

// Start starts a bus until the test ends, and makes it that of this process.
func Start(t *testing.T) *Bus {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "bus")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	b := &Bus{Address: "unix:path=" + socket, listener: listener, clients: map[*client]bool{}, units: map[string]bool{}}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", b.Address)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { b.serve(&client{conn: conn, in: bufio.NewReader(conn)}) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		b.mu.Lock()
		for c := range b.clients {
			_ = c.conn.Close()
		}
		b.mu.Unlock()
		wg.Wait()
	})
	return b
}

// Behave has it answer so from now on.
func (b *Bus) Behave(as Behaviour) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.as = as
}

// Calls returns what was asked since the last time, and forgets it.
func (b *Bus) Calls() []Call {
	b.mu.Lock()
	defer b.mu.Unlock()
	calls := b.calls
	b.calls = nil
	return calls
}

// Knows says whether systemd knows a unit.
func (b *Bus) Knows(unit string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.units[unit]
}

// client is one connection.
type client struct {
	conn   net.Conn
	in     *bufio.Reader
	mu     sync.Mutex
	serial uint32
}

func (b *Bus) serve(c *client) {
	defer c.conn.Close()
	if err := c.authenticate(); err != nil {
		return
	}
	b.mu.Lock()
	b.clients[c] = true
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.clients, c)
	}()
	for {
		call, err := dbus.DecodeMessage(c.in)
		if err != nil {
			return
		}
		if call.Type == dbus.TypeMethodCall {
			b.answer(c, call)
		}
	}
}

// authenticate is the server's side of EXTERNAL (D-Bus specification, Authentication Protocol).
func (c *client) authenticate() error {
	if _, err := c.in.ReadByte(); err != nil {
		return err
	}
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return err
		}
		answer := "ERROR"
		switch line = strings.TrimSpace(line); {
		case line == "BEGIN":
			return nil
		case line == "AUTH":
			answer = "REJECTED EXTERNAL"
		case line == "AUTH EXTERNAL": // without an initial response
			answer = "DATA"
		case line == "DATA", strings.HasPrefix(line, "AUTH EXTERNAL "): // who it is the socket knows
			answer = "OK 0123456789abcdef0123456789abcdef"
		}
		if _, err := c.conn.Write([]byte(answer + "\r\n")); err != nil {
			return err
		}
	}
}

func (b *Bus) answer(c *client, m *dbus.Message) {
	method, _ := m.Headers[dbus.FieldMember].Value().(string)
	switch method {
	case "Hello":
		c.reply(m, ":1.1")
		return
	case "AddMatch", "RemoveMatch":
		c.reply(m)
		return
	}
	call := Call{Method: method}
	call.Unit, _ = m.Body[0].(string)
	for _, part := range m.Body {
		if list, ok := part.([][]any); ok && call.Properties == nil {
			call.Properties = map[string]any{}
			for _, pair := range list {
				call.Properties[pair[0].(string)] = pair[1].(dbus.Variant).Value()
			}
		}
	}
	b.mu.Lock()
	b.calls = append(b.calls, call)
	known, as := b.units[call.Unit], b.as
	b.jobs++
	job := b.jobs
	b.mu.Unlock()
	if name, fails := as.Fail[method]; fails {
		c.fail(m, *dbus.NewError(name, []any{"Says systemd."}))
		return
	}
	switch {
	case method == "StartTransientUnit" && known:
		c.fail(m, *dbus.NewError("org.freedesktop.systemd1.UnitExists", []any{"Unit " + call.Unit + " was already loaded or has a fragment file."}))
		return
	case method != "StartTransientUnit" && !known:
		c.fail(m, *dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit " + call.Unit + " not loaded."}))
		return
	case method == "SetUnitProperties", method == "ResetFailedUnit":
		c.reply(m)
		return
	}
	b.mu.Lock()
	if method == "StopUnit" {
		delete(b.units, call.Unit)
	} else {
		b.units[call.Unit] = true
		if at := strings.LastIndex(call.Unit, "-"); at > 0 { // the slice that it is in comes with it
			b.units[call.Unit[:at]+".slice"] = true
		}
	}
	b.mu.Unlock()
	if as.OnStart != nil && method != "StopUnit" {
		as.OnStart(call.Unit)
	}
	object := dbus.ObjectPath(fmt.Sprintf("/org/freedesktop/systemd1/job/%d", job))
	c.reply(m, object)
	if as.Silent {
		return
	}
	result := as.Result
	if result == "" {
		result = "done"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for one := range b.clients {
		one.send(&dbus.Message{Type: dbus.TypeSignal, Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldInterface: dbus.MakeVariant("org.freedesktop.systemd1.Manager"), dbus.FieldMember: dbus.MakeVariant("JobRemoved"),
			dbus.FieldPath: dbus.MakeVariant(dbus.ObjectPath("/org/freedesktop/systemd1")), dbus.FieldSender: dbus.MakeVariant("org.freedesktop.systemd1"),
		}, Body: []any{job, object, call.Unit, result}})
	}
}

func (c *client) reply(to *dbus.Message, body ...any) {
	c.send(&dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(to.Serial()), dbus.FieldSender: dbus.MakeVariant("org.freedesktop.systemd1"),
	}, Body: body})
}

func (c *client) fail(to *dbus.Message, err dbus.Error) {
	c.send(&dbus.Message{Type: dbus.TypeError, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(to.Serial()), dbus.FieldErrorName: dbus.MakeVariant(err.Name),
	}, Body: err.Body})
}

// send gives the message the next serial, which the library keeps for itself: it is at the ninth byte of the header.
func (c *client) send(m *dbus.Message) {
	if len(m.Body) > 0 {
		m.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(m.Body...))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var out bytes.Buffer
	if err := m.EncodeTo(&out, binary.LittleEndian); err != nil {
		panic(err)
	}
	c.serial++
	binary.LittleEndian.PutUint32(out.Bytes()[8:], c.serial)
	_, _ = c.conn.Write(out.Bytes()) // a client may have gone
}
