package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestEveryNodePasses(t *testing.T) {
	w := httptest.NewRecorder()
	body := `{"Pod":{"metadata":{"uid":"u"}},"Nodes":null,"NodeNames":["a","b"]}`
	handler().ServeHTTP(w, httptest.NewRequest("POST", "/v1/filter", strings.NewReader(body)))
	want := `{"Nodes":null,"NodeNames":["a","b"],"FailedNodes":null,"FailedAndUnresolvableNodes":null,"Error":""}`
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
