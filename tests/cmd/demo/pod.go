package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/dce-go/dce/go/labels"
	"github.com/dce-go/dce/tests/images"
)

// pod is the example as the engine shows it.
type pod struct {
	id         string
	url        string
	parent     string // cgroup parent of the containers
	containers []container.Summary
}

// pod waits, by the engine's events, until the example is healthy and its port is published.
func (t *task) pod(ctx context.Context, cli *client.Client) (*pod, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, broken := cli.Events(ctx, events.ListOptions{Filters: filters.NewArgs(filters.Arg("type", "container"))})
	for {
		found, err := t.look(ctx, cli)
		if err != nil || found != nil {
			return found, err
		}
		select {
		case <-changes:
		case err := <-broken:
			return nil, fmt.Errorf("the example is not healthy yet: %w", err)
		case <-t.ended:
			return nil, errors.New("the task ended before its page could be reached")
		}
	}
}

// look returns the pod of this task once it is healthy, nil before.
func (t *task) look(ctx context.Context, cli *client.Client) (*pod, error) {
	web, err := cli.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", labels.Pod), filters.Arg("label", labels.Service+"=web"),
		filters.Arg("ancestor", images.Visits), filters.Arg("health", "healthy"),
	)})
	web = slices.DeleteFunc(web, func(c container.Summary) bool { return c.Created < t.started.Unix() }) // another task's
	if err != nil || len(web) == 0 {
		return nil, err
	}
	p := &pod{id: web[0].Labels[labels.Pod]}
	p.containers, err = cli.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labels.Pod+"="+p.id))})
	if err != nil {
		return nil, err
	}
	for _, c := range p.containers {
		for _, port := range c.Ports {
			if port.PrivatePort == 8080 && port.PublicPort != 0 {
				p.url = fmt.Sprintf("http://127.0.0.1:%d/", port.PublicPort)
			}
		}
	}
	if p.url == "" {
		return nil, nil
	}
	whole, err := cli.ContainerInspect(ctx, web[0].ID)
	if err != nil {
		return nil, err
	}
	p.parent = whole.HostConfig.CgroupParent
	t.podID, t.parent = p.id, p.parent
	return p, nil
}

var count = regexp.MustCompile(`<strong id="count">([0-9]+)</strong>`)

func visit(ctx context.Context, url string) (int, error) {
	fmt.Println("  $ curl", url)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	found := count.FindSubmatch(page)
	if resp.StatusCode != http.StatusOK || found == nil {
		return 0, fmt.Errorf("%s answers %s: %s", url, resp.Status, page)
	}
	fmt.Printf("  … visited %s times …\n", found[1])
	return strconv.Atoi(string(found[1]))
}
