package engine

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"runtime"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
)

// imageArchive is an image of one layer in the format of docker save (moby, image/tarexport: manifest.json, a config, a layer),
// which engines load since 1.10. Nothing in it depends on when or where it was made but the architecture, which is ours.
func imageArchive(ref string, layer []byte, config container.Config) ([]byte, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, invalid("image %q is no valid name: %v", ref, err)
	}
	tagged, ok := reference.TagNameOnly(named).(reference.NamedTagged)
	if !ok {
		return nil, invalid("image %s names a digest: an image is loaded under a tag", ref)
	}
	diffID := "sha256:" + digest(layer)
	image, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"created":      time.Unix(0, 0).UTC(),
		"config":       config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{diffID}},
		"history":      []map[string]any{{"created": time.Unix(0, 0).UTC(), "created_by": "dce"}},
	})
	if err != nil {
		return nil, err
	}
	imageName, layerName := digest(image)+".json", "layer.tar"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": imageName, "RepoTags": []string{reference.FamiliarString(tagged)}, "Layers": []string{layerName},
	}})
	if err != nil {
		return nil, err
	}
	buffer := bytes.NewBuffer(make([]byte, 0, len(layer)+len(image)+len(manifest)+8<<10))
	w := tar.NewWriter(buffer)
	for _, file := range []struct {
		name string
		data []byte
	}{{"manifest.json", manifest}, {imageName, image}, {layerName, layer}} {
		if err := w.WriteHeader(&tar.Header{Name: file.name, Size: int64(len(file.data)), Mode: 0o644}); err != nil {
			return nil, err
		}
		if _, err := w.Write(file.data); err != nil {
			return nil, err
		}
	}
	return buffer.Bytes(), w.Close()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
