package main

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestPorts(t *testing.T) {
	got, err := parsePorts("31000-31010, 31020")
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.EqualValues(t, 31010, got[0].End)
	require.EqualValues(t, 31020, got[1].Begin)
	for _, text := range []string{"", "x", "5-3", "0", "70000", "1-", "-1", "1,,2"} {
		_, err := parsePorts(text)
		bad(t, err, "is no list of ports")
	}
	_, err = parsePorts("31000-31010,31005")
	bad(t, err, "names port 31005 twice")
}

func TestFreePortsAreOfferedAsRanges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		used := rapid.SliceOfDistinct(rapid.Uint64Range(firstPort, lastPort), rapid.ID).Draw(r, "used")
		taken := map[uint64]bool{}
		for _, p := range used {
			taken[p] = true
		}
		ranges, err := freePorts(t.Context(), func(_ context.Context, p uint64) bool { return !taken[p] })
		if len(taken) == lastPort-firstPort+1 {
			bad(t, err, "offer others with --ports")
			return
		}
		require.NoError(t, err)
		n := 0
		for i, one := range ranges {
			for p := one.Begin; p <= one.End; p++ {
				require.False(t, taken[p])
				n++
			}
			require.True(t, i == 0 || ranges[i-1].End+1 < one.Begin, "neighbours are one range")
		}
		require.Equal(t, lastPort-firstPort+1-len(taken), n)
	})
}

func TestAPortInUseIsNotFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := uint64(l.Addr().(*net.TCPAddr).Port)
	require.False(t, portIsFree(t.Context(), port))
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer u.Close()
	require.False(t, portIsFree(t.Context(), uint64(u.LocalAddr().(*net.UDPAddr).Port)))
}
