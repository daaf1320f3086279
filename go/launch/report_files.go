package launch

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"github.com/sirupsen/logrus"
)

// files are those of a pod in the sandbox.
type files struct {
	dir           string
	pod, timeline string // names
	logs          string // directory of the services' output
	failed        bool   // said so
}

// filesOf are pod.json, timeline.json and logs/ for the first pod of an executor; those of others bear the pod's id.
func filesOf(sandbox, pod string, first bool) files {
	suffix := ""
	if !first {
		suffix = "-" + pod
	}
	return files{dir: sandbox, pod: "pod" + suffix + ".json", timeline: "timeline" + suffix + ".json", logs: filepath.Join(sandbox, "logs"+suffix)}
}

// write replaces a file, or says once that it can't: a report that can't be written is no reason to end a pod.
func (f *files) write(name string, content any, log logrus.FieldLogger) {
	if err := replaceFile(f.dir, name, content); err != nil && !f.failed {
		f.failed = true
		log.WithError(err).Warn("The pod's report can't be written to the sandbox; its states are told all the same.")
	}
}

// replaceFile writes JSON to a file so that readers see the old or the new, whole. Containers may write to the sandbox: a link that
// one of them put there is replaced, never followed, and what is written leaves the sandbox by no path.
func replaceFile(dir, name string, content any) (err error) {
	text, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return fmt.Errorf("%s can't be encoded: %w", name, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	temp := "." + name + "." + uuid.NewString()
	file, err := root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(temp)
		}
	}()
	if _, err = file.Write(append(text, '\n')); err != nil {
		_ = file.Close()
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	return root.Rename(temp, name)
}
