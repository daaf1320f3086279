// Package images makes the images of tests and example on the spot, from Debian's packages and this checkout, and loads them
// into an engine: no registry is needed, and nothing is installed on the host. What is made stays below build/, and what an
// engine has already is not loaded again.
package images

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"
)

// The images.
const (
	Busybox = "dce-test/busybox" // a shell with wget, httpd, nc, sleep and the like
	Redis   = "dce-test/redis"   // Debian's redis-server and redis-cli, as a user of its own, data in /data
	Visits  = "dce-test/visits"  // the example's web application
)

// hashLabel is on every image: what it was made of.
const hashLabel = "io.dce.test.hash"

// recipe is how one image is made. All of it is hashed, so that a change of it makes a new image.
type recipe struct {
	Ref     string
	Changes []string // lines of a Dockerfile that `docker import` takes
	Tree    func(ctx context.Context, checkout string) (tree, error)
}

var recipes = []recipe{
	{Busybox, []string{`CMD ["sh"]`, "ENV PATH=/bin"}, busybox},
	{Redis, []string{
		`ENTRYPOINT ["redis-server"]`, `CMD ["--protected-mode", "no"]`, "ENV PATH=/usr/bin", "USER redis",
		"WORKDIR /data", "EXPOSE 6379",
	}, redis},
	{Visits, []string{`ENTRYPOINT ["/visits"]`, "USER 65534:65534", "EXPOSE 8080"}, visits},
}

// Load makes the images and loads what the engine lacks. It returns what it loaded.
func Load(ctx context.Context, cli client.APIClient, checkout string) ([]string, error) {
	var loaded []string
	for _, r := range recipes {
		t, err := r.Tree(ctx, checkout)
		if err != nil {
			return loaded, fmt.Errorf("image %s: %w", r.Ref, err)
		}
		hash := r.hash(t)
		if has, err := cli.ImageInspect(ctx, r.Ref); err == nil && has.Config != nil && has.Config.Labels[hashLabel] == hash {
			continue
		} else if err != nil && !errdefs.IsNotFound(err) {
			return loaded, err
		}
		if err := r.load(ctx, cli, t, hash); err != nil {
			return loaded, fmt.Errorf("image %s: %w", r.Ref, err)
		}
		loaded = append(loaded, r.Ref)
	}
	return loaded, nil
}

// Archive writes an image as `docker import` takes it, for an engine that can't be reached from here, and returns the lines of
// a Dockerfile that belong to it.
func Archive(ctx context.Context, checkout, ref string, to io.Writer) (changes []string, err error) {
	for _, r := range recipes {
		if r.Ref != ref {
			continue
		}
		t, err := r.Tree(ctx, checkout)
		if err != nil {
			return nil, fmt.Errorf("image %s: %w", ref, err)
		}
		return r.Changes, t.write(to)
	}
	return nil, fmt.Errorf("there is no image %s to be made", ref)
}

func (r recipe) hash(t tree) string {
	description, err := json.Marshal([]any{r.Ref, r.Changes, t})
	if err != nil {
		panic(err) // strings and numbers only
	}
	sum := sha256.Sum256(description)
	return hex.EncodeToString(sum[:16])
}

// load streams the tree into the engine, and removes the image that had the name before.
func (r recipe) load(ctx context.Context, cli client.APIClient, t tree, hash string) error {
	before, err := cli.ImageInspect(ctx, r.Ref)
	if err != nil && !errdefs.IsNotFound(err) {
		return err
	}
	source, sink := io.Pipe()
	go func() { sink.CloseWithError(t.write(sink)) }()
	defer func() { _ = source.Close() }()
	progress, err := cli.ImageImport(ctx, image.ImportSource{Source: source, SourceName: "-"}, r.Ref, image.ImportOptions{
		Message: "made by tests/images", Changes: append(r.Changes, "LABEL "+hashLabel+"="+hash),
	})
	if err != nil {
		return err
	}
	defer func() { _ = progress.Close() }()
	if err := jsonmessage.DisplayJSONMessagesStream(progress, io.Discard, 0, false, nil); err != nil {
		return err
	}
	if before.ID != "" {
		_, err := cli.ImageRemove(ctx, before.ID, image.RemoveOptions{})
		if err != nil && !errdefs.IsConflict(err) && !errdefs.IsNotFound(err) { // a container may still use it
			return err
		}
	}
	return nil
}
