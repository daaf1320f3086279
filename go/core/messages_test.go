package core

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAContainerConfigIsReadWhateverTheVersion(t *testing.T) {
	var in prepareInput
	require.NoError(t, decode([]byte(`{"container":"c","config":{
		"container_class":"DEFAULT","directory":"/s","user":"nobody","rootfs":"/r","later":{"x":[1.5,null]},
		"executor_info":{"executor_id":{"value":"e"},"framework_id":{"value":"f"},"data":"AAE=",
			"labels":{"labels":[{"key":"a","value":"1"},{"key":"a","value":"2"},{"key":"empty"}]}},
		"command_info":{"value":"x","shell":true,"arguments":["a","b"],"environment":{"variables":[]}},
		"resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":0.5}},{"name":"cpus","scalar":{"value":0.25},"reservations":[]},
			{"name":"mem","scalar":{"value":64.5}},{"name":"ports","ranges":{"range":[{"begin":1,"end":2}]}}],
		"limits":{"cpus":{"value":-1},"mem":{"value":null},"disk":{"value":1}}}}`), &in))
	require.Equal(t, []string{"c", "/s", "f", "e", "nobody"}, []string{in.Container, in.Sandbox, in.Framework, in.Executor, in.User})
	require.Equal(t, map[string]string{"a": "2", "empty": ""}, in.Labels)
	require.Equal(t, commandInfo{"x", true, []string{"a", "b"}}, in.Command)
	require.Equal(t, 0.75, *in.Requests.CPUs)
	require.EqualValues(t, 645<<20/10, *in.Requests.MemBytes)
	require.Equal(t, -1.0, *in.Limits.CPUs)
	require.EqualValues(t, -1, *in.Limits.MemBytes)

	var none prepareInput
	require.NoError(t, decode([]byte(`{"container":"c","config":{}}`), &none))
	require.Equal(t, prepareInput{Container: "c", Labels: map[string]string{}}, none)
	var absurd updateInput
	require.NoError(t, decode([]byte(`{"container":"c","config":{"resources":[{"name":"mem","scalar":{"value":1e300}},{"name":"cpus","scalar":{}}],"limits":{"mem":{"value":-5}}}}`), &absurd))
	require.EqualValues(t, -1, *absurd.Requests.MemBytes, "more than there is")
	require.Nil(t, absurd.Requests.CPUs)
	require.EqualValues(t, -1, *absurd.Limits.MemBytes)
	require.Error(t, decode([]byte(`{"container":"c","sandbox":"/s"}`), &none), "what is not a message is known")
}
