package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	extenderv1 "k8s.io/kube-scheduler/extender/v1"
)

// extender passes the first name of every request and keeps what it was asked.
func extender(t *testing.T, asked *[]extenderv1.ExtenderArgs, connections *int) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var args extenderv1.ExtenderArgs
		if err := json.NewDecoder(r.Body).Decode(&args); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, args)
		first := (*args.NodeNames)[:1]
		if err := json.NewEncoder(w).Encode(extenderv1.ExtenderFilterResult{NodeNames: &first}); err != nil {
			t.Error(err)
		}
	}))
	server.Config.ConnState = count(connections)
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func TestABlockCallsAsKubeSchedulerDoes(t *testing.T) {
	var asked []extenderv1.ExtenderArgs
	var connections int
	server := extender(t, &asked, &connections)
	order := `{"setup":{"nodes":["a","b","c","d","e"],"pods":{"web":{"metadata":{"name":"web"}}}}}
{"block":{"url_prefix":"` + server.URL + `/v1","pod":"web","cluster":4,"names":3,"calls":2,"first_pod":255}}`
	var out strings.Builder
	if err := run(strings.NewReader(order), &out); err != nil {
		t.Fatal(err)
	}
	var got result
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if err := json.Unmarshal([]byte(lines[1]), &got); err != nil || len(lines) != 2 {
		t.Fatalf("%v in %q", err, out.String())
	}
	if len(got.Nanos) != 2 || got.Shortest != 1 || got.Longest != 1 {
		t.Errorf("got %+v", got)
	}
	// The second call goes on where the first one ended, among four of the five nodes.
	for i, want := range []string{"a b c", "d a b"} {
		if names := strings.Join(*asked[i].NodeNames, " "); names != want {
			t.Errorf("call %d named %q, want %q", i, names, want)
		}
	}
	if uid := string(asked[1].Pod.UID); uid != "ca115000-0000-4000-8000-000000000100" {
		t.Errorf("UID %s", uid)
	}
	if connections != 1 {
		t.Errorf("%d connections", connections)
	}
}

func TestAnOrderThatCannotBeDoneIsAnError(t *testing.T) {
	for order, want := range map[string]string{
		`{"block":{"calls":1}}`: "neither a setup nor",
		`{"setup":{}}`:          "needs nodes and pods",
		`{"setup":{"nodes":["a"],"pods":{"web":{}}}} {"block":{"cluster":1,"names":2,"calls":1}}`:            "2 names of 1 nodes",
		`{"setup":{"nodes":["a"],"pods":{"web":{}}}} {"block":{"cluster":1,"names":1,"calls":1,"pod":"db"}}`: `no pod "db"`,
		`{`: "order on stdin",
	} {
		if err := run(strings.NewReader(order), &strings.Builder{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", order, err, want)
		}
	}
}

func count(connections *int) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			*connections++
		}
	}
}
