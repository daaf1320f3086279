// Package auroratest makes AssignedTasks as Aurora's scheduler does, with Thrift's own library, for tests.
package auroratest

import (
	"context"
	"maps"
	"slices"

	"github.com/apache/thrift/lib/go/thrift"
)

// Task is what goes into an AssignedTask. The other fields of its structs are filled with what a real one has there, in the
// order of Aurora's api.thrift, so that a reader has something to skip.
type Task struct {
	ID       string
	Instance int32
	Service  bool
	Ports    map[string]int32
	Executor string // data of its ExecutorConfig
}

// Encode returns the bytes of TaskInfo.data.
func (t Task) Encode() []byte {
	w := &writer{ctx: context.Background()}
	buffer := thrift.NewTMemoryBuffer()
	w.to = thrift.NewTBinaryProtocolConf(buffer, nil)
	w.structure(func() {
		w.text(1, t.ID)
		w.text(2, "20261122-0-S1")
		w.text(3, "host.example.org")
		w.field(thrift.STRUCT, 4, func() { w.structure(func() { w.config(t) }) })
		w.field(thrift.MAP, 5, func() {
			w.must(w.to.WriteMapBegin(w.ctx, thrift.STRING, thrift.I32, len(t.Ports)))
			for _, name := range slices.Sorted(maps.Keys(t.Ports)) {
				w.must(w.to.WriteString(w.ctx, name))
				w.must(w.to.WriteI32(w.ctx, t.Ports[name]))
			}
		})
		w.i32(6, t.Instance)
	})
	w.must(w.to.Flush(w.ctx))
	return buffer.Bytes()
}

func (w *writer) config(t Task) {
	w.field(thrift.STRUCT, 28, func() {
		w.structure(func() { w.text(1, "www-data"); w.text(2, "prod"); w.text(3, "shop") })
	})
	w.field(thrift.STRUCT, 17, func() { w.structure(func() { w.text(2, "www-data") }) }) // Identity
	w.bool(7, t.Service)
	w.i32(11, 0)
	w.i32(13, 1)
	w.bool(18, true)
	w.text(30, "preferred")
	w.field(thrift.SET, 32, func() { // set<Resource>, a union
		w.must(w.to.WriteSetBegin(w.ctx, thrift.STRUCT, 2))
		w.structure(func() { w.field(thrift.DOUBLE, 1, func() { w.must(w.to.WriteDouble(w.ctx, 0.5)) }) })
		w.structure(func() { w.field(thrift.I64, 2, func() { w.must(w.to.WriteI64(w.ctx, 128)) }) })
	})
	w.field(thrift.SET, 20, func() { w.must(w.to.WriteSetBegin(w.ctx, thrift.STRUCT, 0)) })
	w.field(thrift.MAP, 22, func() {
		w.must(w.to.WriteMapBegin(w.ctx, thrift.STRING, thrift.STRING, 1))
		w.must(w.to.WriteString(w.ctx, "http"))
		w.must(w.to.WriteString(w.ctx, "http://%host%:%port:http%"))
	})
	w.field(thrift.STRUCT, 25, func() { w.structure(func() { w.text(1, "docker-compose-executor"); w.text(2, t.Executor) }) })
	w.field(thrift.STRUCT, 29, func() { // Container, a union: mesos
		w.structure(func() { w.field(thrift.STRUCT, 1, func() { w.structure(func() {}) }) })
	})
}

type writer struct {
	ctx context.Context
	to  thrift.TProtocol
}

// must is for a buffer in memory, to which everything can be written.
func (w *writer) must(err error) {
	if err != nil {
		panic(err)
	}
}

func (w *writer) structure(fields func()) {
	w.must(w.to.WriteStructBegin(w.ctx, ""))
	fields()
	w.must(w.to.WriteFieldStop(w.ctx))
	w.must(w.to.WriteStructEnd(w.ctx))
}

func (w *writer) field(kind thrift.TType, id int16, value func()) {
	w.must(w.to.WriteFieldBegin(w.ctx, "", kind, id))
	value()
	w.must(w.to.WriteFieldEnd(w.ctx))
}

func (w *writer) text(id int16, s string) {
	w.field(thrift.STRING, id, func() { w.must(w.to.WriteString(w.ctx, s)) })
}

func (w *writer) i32(id int16, n int32) {
	w.field(thrift.I32, id, func() { w.must(w.to.WriteI32(w.ctx, n)) })
}

func (w *writer) bool(id int16, b bool) {
	w.field(thrift.BOOL, id, func() { w.must(w.to.WriteBool(w.ctx, b)) })
}
