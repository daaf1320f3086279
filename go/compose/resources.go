package compose

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
)

// resources translates limits, reservations and devices (docker/compose pkg/compose/create.go, getDeployResources). The
// cgroup parent is the pod's, whatever the file asks for.
func (l *Layout) resources(s *placed) container.Resources {
	oomKillDisable := s.OomKillDisable
	r := container.Resources{
		CgroupParent:       l.Target.CgroupParent,
		Memory:             int64(s.MemLimit),
		MemorySwap:         int64(s.MemSwapLimit),
		MemoryReservation:  int64(s.MemReservation),
		OomKillDisable:     &oomKillDisable,
		CPUCount:           s.CPUCount,
		CPUPeriod:          s.CPUPeriod,
		CPUQuota:           s.CPUQuota,
		CPURealtimePeriod:  s.CPURTPeriod,
		CPURealtimeRuntime: s.CPURTRuntime,
		CPUShares:          s.CPUShares,
		NanoCPUs:           int64(s.CPUS * 1e9),
		CPUPercent:         int64(s.CPUPercent * 100),
		CpusetCpus:         s.CPUSet,
		DeviceCgroupRules:  s.DeviceCgroupRules,
		Ulimits:            ulimits(s.Ulimits),
	}
	if s.MemSwappiness != 0 {
		swappiness := int64(s.MemSwappiness)
		r.MemorySwappiness = &swappiness
	}
	if limit := s.PidsLimit; limit != 0 {
		r.PidsLimit = &limit
	}
	if s.BlkioConfig != nil {
		blkio(*s.BlkioConfig, &r)
	}
	if s.Deploy != nil {
		deploy(s.Deploy.Resources, &r)
	}
	devices(s, &r)
	return r
}

// reserved are the CPUs that a service is to be sure of. compose leaves them to Swarm's scheduler; here they are what Kubernetes calls
// a request.
func reserved(s *placed) float64 {
	if s.Deploy == nil || s.Deploy.Resources.Reservations == nil {
		return 0
	}
	return math.Round(float64(s.Deploy.Resources.Reservations.NanoCPUs)*1e6) / 1e6 // it is a float32
}

// deploy overrides what the service's own keys say.
func deploy(d types.Resources, r *container.Resources) {
	if limits := d.Limits; limits != nil {
		if limits.MemoryBytes != 0 {
			r.Memory = int64(limits.MemoryBytes)
		}
		if limits.NanoCPUs != 0 {
			r.NanoCPUs = int64(limits.NanoCPUs * 1e9)
		}
		if pids := limits.Pids; pids > 0 {
			r.PidsLimit = &pids
		}
	}
	if reserved := d.Reservations; reserved != nil {
		if reserved.MemoryBytes != 0 {
			r.MemoryReservation = int64(reserved.MemoryBytes)
		}
		for _, device := range reserved.Devices {
			r.DeviceRequests = append(r.DeviceRequests, deviceRequest(device))
		}
	}
}

func deviceRequest(device types.DeviceRequest, more ...string) container.DeviceRequest {
	return container.DeviceRequest{
		Driver: device.Driver, Count: int(device.Count), DeviceIDs: device.IDs,
		Capabilities: [][]string{append(slices.Clone(device.Capabilities), more...)}, Options: device.Options,
	}
}

func devices(s *placed, r *container.Resources) {
	var cdi []string
	for _, device := range s.Devices {
		if device.Source == device.Target && isCDI(device.Source) {
			cdi = append(cdi, device.Source)
			continue
		}
		r.Devices = append(r.Devices, container.DeviceMapping{
			PathOnHost: device.Source, PathInContainer: device.Target, CgroupPermissions: device.Permissions,
		})
	}
	if len(cdi) > 0 {
		r.DeviceRequests = append(r.DeviceRequests, container.DeviceRequest{Driver: "cdi", DeviceIDs: cdi})
	}
	for _, gpu := range s.Gpus {
		r.DeviceRequests = append(r.DeviceRequests, deviceRequest(gpu, "gpu"))
	}
}

// isCDI tells a qualified device name of the Container Device Interface, "vendor.com/class=name", from a path.
func isCDI(name string) bool {
	kind, device, ok := strings.Cut(name, "=")
	vendor, class, qualified := strings.Cut(kind, "/")
	return ok && qualified && vendor != "" && class != "" && device != "" && !strings.Contains(class, "/")
}

func ulimits(limits map[string]*types.UlimitsConfig) []*container.Ulimit {
	var all []*container.Ulimit
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		limit := container.Ulimit{Name: name, Soft: int64(limits[name].Single), Hard: int64(limits[name].Single)}
		if limits[name].Soft != 0 {
			limit.Soft = int64(limits[name].Soft)
		}
		if limits[name].Hard != 0 {
			limit.Hard = int64(limits[name].Hard)
		}
		all = append(all, &limit)
	}
	return all
}

func blkio(b types.BlkioConfig, r *container.Resources) {
	r.BlkioWeight = b.Weight
	for _, device := range b.WeightDevice {
		r.BlkioWeightDevice = append(r.BlkioWeightDevice, &blkiodev.WeightDevice{Path: device.Path, Weight: device.Weight})
	}
	r.BlkioDeviceReadBps = throttles(b.DeviceReadBps)
	r.BlkioDeviceReadIOps = throttles(b.DeviceReadIOps)
	r.BlkioDeviceWriteBps = throttles(b.DeviceWriteBps)
	r.BlkioDeviceWriteIOps = throttles(b.DeviceWriteIOps)
}

func throttles(devices []types.ThrottleDevice) []*blkiodev.ThrottleDevice {
	var all []*blkiodev.ThrottleDevice
	for _, device := range devices {
		all = append(all, &blkiodev.ThrottleDevice{Path: device.Path, Rate: uint64(device.Rate)})
	}
	return all
}
