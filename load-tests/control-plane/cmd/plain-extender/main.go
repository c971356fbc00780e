// An extender as one writes it in Go: upstream's types, net/http and encoding/json. It decides nothing, every node passes.
//
// The measure of what an extender costs that is not made for speed. It prints its address once it listens.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"

	extenderv1 "k8s.io/kube-scheduler/extender/v1"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "where to listen")
	flag.Parse()
	if err := serve(*listen); err != nil {
		fmt.Fprintln(os.Stderr, "plain-extender:", err)
		os.Exit(1)
	}
}

func serve(listen string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, handler())
}

func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/filter", filter)
	return mux
}

func filter(w http.ResponseWriter, r *http.Request) {
	var args extenderv1.ExtenderArgs
	var result extenderv1.ExtenderFilterResult
	if err := json.NewDecoder(r.Body).Decode(&args); err != nil {
		result.Error = err.Error()
	} else {
		result.NodeNames = args.NodeNames
	}
	w.Header().Set("Content-Type", "application/json")
	// The client is gone if this fails, and there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(result)
}
