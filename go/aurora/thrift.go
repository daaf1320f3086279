package aurora

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// kind is a type of Thrift's binary protocol (apache/thrift, doc/specs/thrift-binary-protocol.md).
type kind byte

const (
	typeStop   kind = 0
	typeBool   kind = 2
	typeByte   kind = 3
	typeDouble kind = 4
	typeI16    kind = 6
	typeI32    kind = 8
	typeI64    kind = 10
	typeString kind = 11
	typeStruct kind = 12
	typeMap    kind = 13
	typeSet    kind = 14
	typeList   kind = 15
)

// maxDepth bounds how deep values may be nested; an AssignedTask has 6 levels.
const maxDepth = 32

// field is the header of a field.
type field struct {
	id   int16
	kind kind
}

// reader reads Thrift's binary protocol. The first error stands, and everything read after it is zero. A length is compared
// with what is left before it is used, so that neither memory nor time is spent on what is not there.
type reader struct {
	data  []byte // what is left
	depth int
	err   error
}

var errShort = errors.New("it ends in the middle of a value")

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
		r.data = nil
	}
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.data) {
		r.fail(errShort)
		return nil
	}
	out := r.data[:n]
	r.data = r.data[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) i16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) i32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) text() string { return string(r.take(int(r.i32()))) }

// structure reads a struct. known reads the value of a field that it knows, and returns false for one to be skipped.
func (r *reader) structure(known func(field) bool) {
	if r.depth++; r.depth > maxDepth {
		r.fail(fmt.Errorf("it is nested deeper than %d levels", maxDepth))
	}
	for r.err == nil {
		f := field{kind: kind(r.byte())}
		if r.err != nil || f.kind == typeStop {
			break
		}
		f.id = r.i16()
		if r.err == nil && !known(f) {
			r.skip(f.kind)
		}
	}
	r.depth--
}

// texts reads the string fields of a struct that has these.
func (r *reader) texts(into map[int16]*string) func(field) bool {
	return func(f field) bool {
		to, known := into[f.id]
		if !known || f.kind != typeString {
			return false
		}
		*to = r.text()
		return true
	}
}

// mapHeader and listHeader return types and length. Every element takes at least a byte.
func (r *reader) mapHeader() (key, value kind, n int) {
	key, value = kind(r.byte()), kind(r.byte())
	return key, value, r.length(2)
}

func (r *reader) listHeader() (element kind, n int) {
	element = kind(r.byte())
	return element, r.length(1)
}

func (r *reader) length(least int) int {
	n := int(r.i32())
	if n < 0 || n > len(r.data)/least {
		r.fail(errShort)
		return 0
	}
	return n
}

// skip reads over a value.
func (r *reader) skip(k kind) {
	if r.depth++; r.depth > maxDepth {
		r.fail(fmt.Errorf("it is nested deeper than %d levels", maxDepth))
	}
	switch k {
	case typeBool, typeByte:
		r.take(1)
	case typeI16:
		r.take(2)
	case typeI32:
		r.take(4)
	case typeI64, typeDouble:
		r.take(8)
	case typeString:
		r.take(int(r.i32()))
	case typeStruct:
		r.structure(func(field) bool { return false })
	case typeMap:
		key, value, n := r.mapHeader()
		for ; n > 0 && r.err == nil; n-- {
			r.skip(key)
			r.skip(value)
		}
	case typeSet, typeList:
		element, n := r.listHeader()
		for ; n > 0 && r.err == nil; n-- {
			r.skip(element)
		}
	default:
		r.fail(fmt.Errorf("%d is no type of Thrift", k))
	}
	r.depth--
}
