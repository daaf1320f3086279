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

// pod waits until the task runs and asks the engine what it is made of.
func (t *task) pod(ctx context.Context, cli *client.Client) (*pod, error) {
	var url string
	select {
	case url = <-t.url:
	case <-t.ended:
		return nil, errors.New("the task ended before its page could be reached")
	case <-ctx.Done():
		return nil, fmt.Errorf("the task did not come up: %w", ctx.Err())
	}
	web, err := cli.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(
		filters.Arg("label", labels.Pod), filters.Arg("label", labels.Service+"=web"), filters.Arg("ancestor", images.Visits),
	)})
	if err != nil {
		return nil, err
	}
	web = slices.DeleteFunc(web, func(c container.Summary) bool { return c.Created < t.started.Unix() }) // another task's
	if len(web) == 0 {
		return nil, errors.New("the engine has no container of the task, though it runs")
	}
	whole, err := cli.ContainerInspect(ctx, web[0].ID)
	if err != nil {
		return nil, err
	}
	p := &pod{id: web[0].Labels[labels.Pod], url: url, parent: whole.HostConfig.CgroupParent}
	t.podID, t.parent = p.id, p.parent
	p.containers, err = cli.ContainerList(ctx, container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labels.Pod+"="+p.id))})
	return p, err
}

var (
	sentence = regexp.MustCompile(`<p>(.*)</p>`)
	count    = regexp.MustCompile(`<strong id="count">([0-9]+)</strong>`)
	tag      = regexp.MustCompile(`<[^>]*>`)
)

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
	text, found := sentence.FindSubmatch(page), count.FindSubmatch(page)
	if resp.StatusCode != http.StatusOK || text == nil || found == nil {
		return 0, fmt.Errorf("%s answers %s: %s", url, resp.Status, page)
	}
	fmt.Println(" ", tag.ReplaceAllString(string(text[1]), ""))
	return strconv.Atoi(string(found[1]))
}
