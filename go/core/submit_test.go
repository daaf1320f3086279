package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/dce-go/dce/go/engine"
)

func TestEachOperationEndsOnce(t *testing.T) {
	s := newStage(t)
	s.isolated()
	release := s.fake.Hang(engine.MethodList)
	late, lateTimes := s.start("cleanup", `{"container":"c1"}`, 50*time.Millisecond)
	open, openTimes := s.start("cleanup", `{"container":"c2"}`, 0)
	require.Equal(t, Timeout, s.wait("the late one", late).status)
	require.Equal(t, OK, s.Close())
	require.Equal(t, Closed, s.wait("the open one", open).status)
	require.Equal(t, Closed, s.Close())
	release()
	<-s.crew.gone()
	require.EqualValues(t, 1, lateTimes.Load())
	require.EqualValues(t, 1, openTimes.Load())
	require.Equal(t, Closed, s.Submit("metrics", []byte("{}"), 0, func(Status, []byte) { t.Error("called after the close") }))
}

func TestTooManyOperationsAreRefused(t *testing.T) {
	s := newStage(t)
	goOn := make(chan struct{})
	defer close(goOn)
	f := func(point string) {
		if point == "sweep" { // which hangs for as long as the submissions take
			<-goOn
		}
	}
	s.inject.Store(&f)
	var took []time.Duration
	for i := range maxCalls {
		begun := time.Now()
		require.Equal(t, OK, s.Submit("cleanup", fmt.Appendf(nil, `{"container":"c%d"}`, i), 0, func(Status, []byte) {}))
		took = append(took, time.Since(begun))
	}
	require.Equal(t, Busy, s.Submit("metrics", []byte("{}"), 0, func(Status, []byte) { t.Error("called without being accepted") }))
	slices.Sort(took)
	require.Less(t, took[maxCalls*9/10], time.Millisecond, "submit returns at once, but for what else this machine has to do")
	require.Equal(t, OK, s.Close())
}

func TestPanicWithinSubmitIsTheCallers(t *testing.T) {
	s := newStage(t)
	f := func(at string) {
		if at == "submit" {
			panic("injected")
		}
	}
	s.inject.Store(&f)
	require.Panics(t, func() {
		s.Submit("metrics", []byte("{}"), 0, func(Status, []byte) { t.Error("called without being accepted") })
	})
}
