// encode reads an object of core/v1 in JSON and writes it as kube-apiserver sends it in protobuf. With it the files in
// cluster/src/protobuf/golden are made: go run ./cmd/encode <pod.json >pod.pb
package main

import (
	"io"
	"log"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

func main() {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		log.Fatal(err)
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	object, _, err := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode(data, nil, nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := protobuf.NewSerializer(scheme, scheme).Encode(object, os.Stdout); err != nil {
		log.Fatal(err)
	}
}
