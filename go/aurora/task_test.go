package aurora_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/aurora"
	"github.com/dce-go/dce/go/aurora/auroratest"
)

var sample = auroratest.Task{
	ID: "1732262400000-www-data-prod-shop-3-0a1b", Instance: 3, Service: true,
	Ports: map[string]int32{"http": 31000, "admin": 31001}, Executor: `{"files": ["docker-compose.yml"]}`,
}

func TestDecodeWhatThriftEncodes(t *testing.T) {
	got, err := aurora.Decode(sample.Encode())
	require.NoError(t, err)
	require.Equal(t, &aurora.Task{
		ID: sample.ID, Instance: 3, Service: new(true), Tier: "preferred",
		Ports:    map[string]uint16{"http": 31000, "admin": 31001},
		Job:      aurora.Job{Role: "www-data", Environment: "prod", Name: "shop"},
		Executor: aurora.Executor{Name: "docker-compose-executor", Data: sample.Executor},
	}, got)

	batch := sample
	batch.Service, batch.Ports = false, map[string]int32{"": 1, "zero": 0, "negative": -1, "large": 65536}
	got, err = aurora.Decode(batch.Encode())
	require.NoError(t, err)
	require.False(t, *got.Service)
	require.Empty(t, got.Ports)
}

func TestWhatIsCutShortIsRefused(t *testing.T) {
	data := sample.Encode()
	for n := range data {
		_, err := aurora.Decode(data[:n])
		require.Error(t, err, "the first %d of %d bytes", n, len(data))
	}
}

// structure, i32 and field write Thrift's binary protocol by hand: what its library would not write.
func structure(fields ...[]byte) []byte { return append(bytes.Join(fields, nil), 0) }

func i32(n int32) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }

func field(kind byte, id int16, value ...[]byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{kind}, uint16(id)), bytes.Join(value, nil)...)
}

func text(s string) []byte { return append(i32(int32(len(s))), s...) }

func TestWhatIsNoAssignedTask(t *testing.T) {
	id := field(11, 1, text("task"))
	config := field(12, 4, structure())
	deep := structure()
	for range 1000 {
		deep = structure(field(12, 9, deep))
	}
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "it ends in the middle"},
		{"JSON", []byte(`{"compose": "docker-compose.yml"}`), "no AssignedTask of Aurora"},
		{"text", []byte("hello"), "no AssignedTask of Aurora"},
		{"an empty struct", structure(), "no task id"},
		{"no configuration", structure(id), "no configuration"},
		{"an id that is a number", structure(field(8, 1, i32(7)), config), "no task id"},
		{"bytes behind it", append(structure(id, config), 1), "1 bytes follow its end"},
		{"an unknown type", structure(id, config, field(99, 9)), "99 is no type"},
		{"a text longer than all", structure(field(11, 1, i32(1<<31-1), []byte("x"))), "it ends in the middle"},
		{"a text of negative length", structure(field(11, 1, i32(-1))), "it ends in the middle"},
		{"a map with more entries than bytes", structure(id, config, field(13, 5, []byte{11, 8}, i32(1<<30))), "it ends in the middle"},
		{"a list with more entries than bytes", structure(id, config, field(15, 9, []byte{2}, i32(1<<30))), "it ends in the middle"},
		{"a set of negative length", structure(id, config, field(14, 9, []byte{2}, i32(-5))), "it ends in the middle"},
		{"structs in structs", structure(id, config, field(12, 9, deep)), "nested deeper than 32"},
		{"lists in lists", structure(id, config, field(15, 9, []byte(strings.Repeat("\x0f\x00\x00\x00\x01", 1000)))), "nested deeper than 32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := aurora.Decode(c.data)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	got, err := aurora.Decode(structure(
		field(2, 100, []byte{1}), field(3, 101, []byte{1}), field(6, 102, []byte{0, 1}), field(8, 103, i32(1)),
		field(10, 104, i32(0), i32(1)), field(4, 105, i32(0), i32(1)), field(11, 106, text("x")),
		field(13, 107, []byte{11, 15}, i32(1), text("k"), []byte{12}, i32(1), structure(field(11, 1, text("y")))),
		field(14, 108, []byte{8}, i32(2), i32(1), i32(2)),
		field(13, 5, []byte{8, 8}, i32(1), i32(1), i32(2)), // ports of other types
		field(11, 1, text("task")), field(12, 4, structure(field(11, 7, text("true"))))))
	require.NoError(t, err)
	require.Equal(t, "task", got.ID)
	require.Nil(t, got.Service, "isService is of another type")
	require.Empty(t, got.Ports)
}

func FuzzDecode(f *testing.F) {
	f.Add(sample.Encode())
	f.Add([]byte(`{}`))
	f.Add(structure(field(11, 1, text("task")), field(12, 4, structure())))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		got, err := aurora.Decode(data)
		require.Equal(t, before, data)
		if err == nil {
			require.NotEmpty(t, got.ID)
			for _, port := range got.Ports {
				require.NotZero(t, port)
			}
		}
	})
}
