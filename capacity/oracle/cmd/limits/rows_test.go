package main

import (
	"testing"

	vrc "github.com/aws/amazon-vpc-resource-controller-k8s/pkg/aws/vpc"
)

// The limit taken from the resource controller's table, where only that one knows a type, has to mean what the CNI's
// does.
func TestDefaultCardLimitMeansTheSameInBothTables(t *testing.T) {
	compared, several := 0, 0
	for name, limits := range vrc.Limits {
		known, ok := cniLimits[name]
		if !ok {
			continue
		}
		enis, err := onDefaultCard(name, limits)
		if err != nil {
			t.Fatal(err)
		}
		if int(enis) != known.ENILimit {
			t.Errorf("%s: %d ENIs on the default card, the CNI has %d", name, enis, known.ENILimit)
		}
		if int(enis) != limits.Interface {
			several++
		}
		compared++
	}
	if compared < 1000 || several == 0 {
		t.Fatalf("%d types compared, %d with a sum that differs: the test does not see the tables", compared, several)
	}
	t.Logf("%d types compared, Interface is another number for %d", compared, several)
}
