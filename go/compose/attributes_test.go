package compose

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/tree"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

// below says whether path is one of the table's, or lies below one of them.
func below[V any](table map[tree.Path]V, path tree.Path) bool {
	for ; path != ""; path = path.Parent() {
		if _, ok := table[path]; ok {
			return true
		}
	}
	return false
}

// A new attribute in compose-go's schema makes this fail until somebody decides what a pod does with it.
func TestEveryAttributeIsDecided(t *testing.T) {
	known := map[tree.Path]bool{"services.*.storage_opt.*": true} // the schema says "object" and leaves the keys open
	for _, path := range schema.AttributePaths() {
		known[path] = true
	}
	translates := map[tree.Path]bool{}
	for _, path := range translated() {
		require.False(t, translates[path], "%s is listed twice", path)
		translates[path] = true
		require.True(t, known[path], "%s is handled, but not in the schema", path)
	}
	for path := range ignored {
		require.True(t, known[path], "%s is ignored, but not in the schema", path)
	}
	for path := range refused {
		require.True(t, known[path], "%s is refused, but not in the schema", path)
	}
	for path := range known {
		places := 0
		for _, in := range []bool{translates[path], below(ignored, path), below(refused, path)} {
			if in {
				places++
			}
		}
		require.Equal(t, 1, places, "%s must be in exactly one table: handled, ignored or refused", path)
	}
}

// What the tables do not have is refused by name, unless no profile activates the service.
func TestUndecidedAttributeIsRefused(t *testing.T) {
	project := &types.Project{Services: types.Services{"web": {Name: "web"}}}
	_, err := judge(project, []loader.UnsupportedAttribute{{Path: "services.web.teleport.speed"}})
	require.EqualError(t, err, "service web, key teleport.speed: dce does not know how to translate it; remove it")
	_, err = judge(project, []loader.UnsupportedAttribute{{Path: "networks.back.wormhole"}})
	require.EqualError(t, err, "key networks.back.wormhole: dce does not know how to translate it; remove it")
	_, err = judge(project, []loader.UnsupportedAttribute{{Path: "services.debug.teleport"}})
	require.NoError(t, err)
}
