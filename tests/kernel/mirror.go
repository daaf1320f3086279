package kernel

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Mirror returns where this machine gets the packages of a suite from: a URI, and the file of keys that it is signed with,
// "" for those that apt trusts anyway.
func Mirror(suite string) (uri, keyring string, err error) {
	sources, err := otherSuite("/etc", suite)
	if err != nil {
		return "", "", err
	}
	for _, name := range slices.Sorted(maps.Keys(sources)) {
		if uri, keyring = mirrorOf(sources[name], strings.HasSuffix(name, ".sources"), suite); uri != "" {
			return uri, keyring, nil
		}
	}
	return "", "", fmt.Errorf("the package sources of this machine name no mirror of Debian %s, only of its security updates", suite)
}

// mirrorOf reads what changeSuite returns (sources.list(5)).
func mirrorOf(content string, deb822 bool, suite string) (uri, keyring string) {
	if !deb822 {
		for line := range strings.Lines(content) {
			options, rest, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(line, "deb")), "]")
			if !ok {
				options, rest = "", options
			}
			if f := strings.Fields(rest); len(f) > 1 && f[1] == suite {
				for option := range strings.FieldsSeq(strings.Trim(options, "[ ")) {
					if v, ok := strings.CutPrefix(option, "signed-by="); ok && strings.HasPrefix(v, "/") {
						keyring = v
					}
				}
				return f[0], keyring
			}
		}
		return "", ""
	}
	for stanza := range strings.SplitSeq(content, "\n\n") {
		fields := map[string]string{}
		for line := range strings.Lines(stanza) {
			if key, value, ok := strings.Cut(line, ":"); ok && !strings.HasPrefix(line, "#") {
				fields[key] = strings.TrimSpace(value)
			}
		}
		uris := strings.Fields(fields["URIs"])
		if len(uris) > 0 && slices.Contains(strings.Fields(fields["Suites"]), suite) {
			if strings.HasPrefix(fields["Signed-By"], "/") {
				keyring = fields["Signed-By"]
			}
			return uris[0], keyring
		}
	}
	return "", ""
}
