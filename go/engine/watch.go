package engine

import "context"

// Watch follows the containers of a pod until ctx ends, and then closes the channel. After every (re)subscription to the
// engine's events comes the whole picture, between them single changes; Lost comes once when the stream breaks. A slow
// reader gets several changes of one container as one, the latest. Up, Stop and all Watches of a pod share one stream.
func (p *Pod) Watch(ctx context.Context, podID string) <-chan Observation {
	out := make(chan Observation)
	s := p.subscribe(podID)
	go func() {
		defer close(out)
		defer s.close()
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.wake:
			}
			for o, ok := s.take(); ok; o, ok = s.take() {
				select {
				case <-ctx.Done():
					return
				case out <- o:
				}
			}
		}
	}()
	return out
}
