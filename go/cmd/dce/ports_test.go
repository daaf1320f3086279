package main

import (
	"context"
	"io"
	"net"
	"slices"
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

type noClaim struct{}

func (noClaim) Close() error { return nil }

func TestFreePortsAreOfferedAsRanges(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		from := rapid.Uint64Range(firstPort, lastPort+1).Draw(r, "from") // all ports below are in use
		used := rapid.SliceOf(rapid.Uint64Range(from, min(from+2*portsOffered, lastPort+1))).Draw(r, "used")
		taken := map[uint64]bool{}
		for p := uint64(firstPort); p <= lastPort; p++ {
			taken[p] = p < from || slices.Contains(used, p)
		}
		ranges, claims, err := freePorts(t.Context(), func(_ context.Context, p uint64) (io.Closer, bool) { return noClaim{}, !taken[p] })
		free := 0
		for p := uint64(firstPort); p <= lastPort; p++ {
			if !taken[p] {
				free++
			}
		}
		if free == 0 {
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
		require.Equal(t, min(free, portsOffered), n)
		require.Len(t, claims, n)
	})
}

func TestAPortIsOfferedOnce(t *testing.T) {
	port, first := uint64(firstPort), io.Closer(nil)
	for ; first == nil; port++ { // other runs of dce may have some
		if claim, ok := claimPort(t.Context(), port); ok {
			first = claim
			break
		}
	}
	_, ok := claimPort(t.Context(), port)
	require.False(t, ok)
	require.NoError(t, first.Close())
	again, ok := claimPort(t.Context(), port)
	require.True(t, ok)
	require.NoError(t, again.Close())
}

func TestAPortInUseIsNotFree(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, ok := claimPort(t.Context(), uint64(l.Addr().(*net.TCPAddr).Port))
	require.False(t, ok)
	u, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer u.Close()
	_, ok = claimPort(t.Context(), uint64(u.LocalAddr().(*net.UDPAddr).Port))
	require.False(t, ok)
}
