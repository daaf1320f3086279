package localagent

import (
	"fmt"
	"os"
	"path/filepath"
)

// makeSandbox makes <work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container> and the link
// "latest" beside it. Follows src/slave/paths.cpp, createExecutorDirectory and createSandboxDirectory (mode 0750).
func (a *Agent) makeSandbox(executor, container string) (string, error) {
	o := a.options
	runs := filepath.Join(o.WorkDir, "slaves", o.AgentID, "frameworks", o.Framework.ID.Value,
		"executors", executor, "runs")
	if err := os.MkdirAll(runs, 0o755); err != nil {
		return "", fmt.Errorf("the sandbox can't be made: %w", err)
	}
	sandbox := filepath.Join(runs, container)
	if err := os.Mkdir(sandbox, 0o750); err != nil {
		return "", fmt.Errorf("the sandbox can't be made: %w", err)
	}
	latest := filepath.Join(runs, "latest")
	if err := os.Remove(latest); err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("the link to the latest sandbox can't be replaced: %w", err)
	}
	if err := os.Symlink(sandbox, latest); err != nil {
		return "", fmt.Errorf("the link to the latest sandbox can't be made: %w", err)
	}
	return sandbox, nil
}
