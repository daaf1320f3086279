package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dce-go/dce/go/labels"
)

// Labels by which `docker compose` lists and describes a project (docker/compose pkg/api/labels.go).
const (
	composeConfigFiles = "com.docker.compose.project.config_files"
	composeWorkingDir  = "com.docker.compose.project.working_dir"
	composeDependsOn   = "com.docker.compose.depends_on"
)

// objectLabels are those of a network or a volume of the pod: the user's, then ours, which win.
func (l *Layout) objectLabels(user map[string]string) map[string]string {
	all := maps.Clone(user)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, l.Target.Identity.Labels(l.Target.Version))
	return all
}

// serviceLabels are those of container n of a service.
func (l *Layout) serviceLabels(s *placed, n int) (map[string]string, error) {
	user := maps.Clone(map[string]string(s.Labels))
	delete(user, labels.ComposeConfigHash) // it would make the pod visible to `docker compose down`
	all := labels.ForService(l.objectLabels(user), s.Name, labels.RoleService, strconv.Itoa(n))
	if !l.Target.Visible {
		return all, nil
	}
	hash, err := configHash(s)
	if err != nil {
		return nil, err
	}
	all[labels.ComposeConfigHash] = hash
	var files []string
	for _, file := range l.Project.ComposeFiles {
		files = append(files, l.hostPath(file))
	}
	all[composeConfigFiles] = strings.Join(files, ",")
	all[composeWorkingDir] = l.Target.Sandbox
	var waits []string
	for _, name := range slices.Sorted(maps.Keys(s.DependsOn)) {
		waits = append(waits, fmt.Sprintf("%s:%s:%t", name, s.DependsOn[name].Condition, s.DependsOn[name].Restart))
	}
	all[composeDependsOn] = strings.Join(waits, ",")
	return all, nil
}

// configHash is compose's own hash of a service (docker/compose pkg/compose/hash.go, ServiceHash).
func configHash(s *placed) (string, error) {
	service := s.ServiceConfig
	service.Build, service.PullPolicy, service.Scale, service.DependsOn, service.Profiles = nil, "", nil, nil, nil
	if service.Deploy != nil {
		deploy := *service.Deploy
		deploy.Replicas = nil
		service.Deploy = &deploy
	}
	text, err := json.Marshal(service)
	if err != nil {
		return "", badService(s.Name, "", "set compose.visible to false", "its config hash can't be made: %v", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}
