// Package quiet keeps the CNI's packages from logging to /host/var/log/aws-routed-eni. They open their logger while they are
// initialised, and Go initialises packages in the order of their import paths once their imports are ready; hence the name of
// this module, which sorts before github.com.
package quiet

import "os"

func init() {
	os.Setenv("AWS_VPC_K8S_CNI_LOG_FILE", "stderr")
	os.Setenv("AWS_VPC_K8S_CNI_LOGLEVEL", "fatal")
}
