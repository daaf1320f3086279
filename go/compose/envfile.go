package compose

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/docker/cli/pkg/kvfile"
)

// registerRaw teaches compose-go the format raw of an env_file, as compose itself does (docker/compose,
// cmd/compose/compose.go, rawEnv): lines of NAME=value word for word, as `docker run --env-file` reads them.
var registerRaw = sync.OnceFunc(func() {
	dotenv.RegisterFormat("raw", func(r io.Reader, filename string, vars map[string]string, lookup func(string) (string, bool)) error {
		lines, err := kvfile.ParseFromReader(r, lookup)
		if err != nil {
			return fmt.Errorf("failed to read %s: %w", filename, err)
		}
		for _, line := range lines {
			key, value, _ := strings.Cut(line, "=")
			vars[key] = value
		}
		return nil
	})
})
