package localagent

import (
	"strconv"
	"time"
)

var units = []struct {
	size time.Duration
	name string
}{
	{time.Nanosecond, "ns"}, {time.Microsecond, "us"}, {time.Millisecond, "ms"}, {time.Second, "secs"},
	{time.Minute, "mins"}, {time.Hour, "hrs"}, {24 * time.Hour, "days"}, {7 * 24 * time.Hour, "weeks"},
}

// formatDuration writes a duration as Mesos does: "5secs", "15mins", "1.5secs".
// Follows 3rdparty/stout/include/stout/duration.hpp, operator<<: the greatest unit that fits, or the next smaller one
// where only that one gives a whole number.
func formatDuration(d time.Duration) string {
	i := 0
	for i+1 < len(units) && d >= units[i+1].size {
		i++
	}
	if i > 0 && d%units[i].size != 0 && d%units[i-1].size == 0 {
		i--
	}
	return strconv.FormatFloat(float64(d)/float64(units[i].size), 'g', 15, 64) + units[i].name
}
