package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/registry"
)

// hubKey is Docker Hub's name in config.json.
const hubKey = "https://index.docker.io/v1/"

// Pull is IsNotFound for an image that is not there or not for us (registries don't tell), IsPermissionDenied or
// IsUnauthorized where the registry says so, and IsUnavailable where it can't be reached or breaks off.
func (d *dockerAPI) Pull(ctx context.Context, ref, platform string) error {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return invalid("image %q is no valid name: %v", ref, err)
	}
	if platform != "" && d.before("1.32") {
		return invalid("image %s: platform needs Docker API 1.32 (Docker 17.09), this engine speaks %s: remove the key or upgrade Docker", ref, d.cli.ClientVersion())
	}
	auth, hint, err := credentials(d.configDir, reference.Domain(named))
	if err != nil {
		return err
	}
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	silence := time.AfterFunc(d.pullIdle, cancel)
	defer silence.Stop()
	body, err := d.cli.ImagePull(alive, ref, image.PullOptions{RegistryAuth: auth, Platform: platform})
	if err == nil {
		err = readProgress(body, func() { silence.Reset(d.pullIdle) })
		_ = body.Close()
	}
	if err != nil && alive.Err() != nil && ctx.Err() == nil {
		return &failure{class: errdefs.ErrUnavailable, cause: err, registry: true, sentence: fmt.Sprintf(
			"image %s: the pull stalled, nothing came for %s: check the network between the Docker engine and %s", ref, d.pullIdle, reference.Domain(named))}
	}
	return d.pullError(ref, hint, err)
}

// pullError tells a registry's trouble from the engine's own: what is not a known answer of a registry the engine calls an
// internal error (moby, distribution/errors.go, translatePullError), so that it means the same as a broken transfer.
func (d *dockerAPI) pullError(ref, hint string, err error) error {
	call := Call{MethodPull, kindImage, ref}
	var streamed *streamedError
	if errors.As(err, &streamed) {
		return &failure{class: streamed.class(), registry: true, sentence: fmt.Sprintf("%s: %s%s", call, streamed.message, hint)}
	}
	err = d.explain(call, err)
	switch {
	case errdefs.IsInternal(err):
		return &failure{class: errdefs.ErrUnavailable, registry: true, sentence: err.Error() + hint}
	case errdefs.IsNotFound(err), errdefs.IsPermissionDenied(err), errdefs.IsUnauthorized(err):
		return &failure{sentence: err.Error() + hint, cause: err}
	default:
		return err
	}
}

// credentials returns the header for a registry, from config.json or the helper it names; hint is for errors where there
// are none.
func credentials(dir, host string) (header, hint string, err error) {
	file := filepath.Join(dir, "config.json")
	configured, err := config.Load(dir)
	if err != nil {
		return "", "", invalid("%s can't be read (%v): mend it, it holds the credentials for %s", file, err, host)
	}
	key := host
	if host == "docker.io" {
		key = hubKey
	}
	found, err := configured.GetAuthConfig(key)
	if err != nil {
		return "", "", invalid("the credential helper that %s names for %s failed: %v", file, host, err)
	}
	auth := registry.AuthConfig(found)
	auth.ServerAddress = ""
	if auth == (registry.AuthConfig{}) {
		return "", fmt.Sprintf("; if it needs a login: %s has none for %s (docker login)", file, host), nil
	}
	auth.ServerAddress = found.ServerAddress
	header, err = registry.EncodeAuthConfig(auth)
	return header, "", err
}

// readProgress reads the engine's messages about an image as they come, calling alive for each, and returns the error
// among them as a *streamedError.
func readProgress(r io.Reader, alive func()) error {
	in := json.NewDecoder(r)
	for {
		var message struct {
			ErrorDetail *struct {
				Code    int    `json:"code"`
				Message string `json:"message"`
			} `json:"errorDetail"`
		}
		if err := in.Decode(&message); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if e := message.ErrorDetail; e != nil {
			return &streamedError{code: e.Code, message: e.Message}
		}
		alive()
	}
}

// streamedError is an error inside of an answer that had begun with 200 OK.
type streamedError struct {
	code    int // of HTTP; engines rarely give one
	message string
}

func (e *streamedError) Error() string { return e.message }

// class is IsUnavailable without a code: the image had been found, its transfer broke.
func (e *streamedError) class() error {
	switch e.code {
	case http.StatusNotFound:
		return errdefs.ErrNotFound
	case http.StatusUnauthorized:
		return errdefs.ErrUnauthenticated
	case http.StatusForbidden:
		return errdefs.ErrPermissionDenied
	default:
		return errdefs.ErrUnavailable
	}
}

// Load hands the engine an image archive as docker save writes it. The same rootfs and config make the same image id, so
// that loading twice changes nothing and leaves no untagged image. rootfs is held in memory.
func (d *dockerAPI) Load(ctx context.Context, ref string, rootfs io.Reader, config container.Config) error {
	layer, err := io.ReadAll(rootfs)
	if err != nil {
		return err
	}
	archive, err := imageArchive(ref, layer, config)
	if err != nil {
		return err
	}
	answer, err := d.cli.ImageLoad(ctx, bytes.NewReader(archive))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return readProgress(answer.Body, func() {})
}
