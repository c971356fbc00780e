package vectors

import "github.com/aws/amazon-vpc-cni-k8s/pkg/utils/logger"

// silent is a logger that says nothing: the store logs several lines for each operation.
type silent struct{}

func (silent) Debugf(string, ...any)                  {}
func (silent) Debug(string)                           {}
func (silent) Infof(string, ...any)                   {}
func (silent) Info(string)                            {}
func (silent) Warnf(string, ...any)                   {}
func (silent) Warn(string)                            {}
func (silent) Errorf(string, ...any)                  {}
func (silent) Error(string)                           {}
func (silent) Fatalf(string, ...any)                  {}
func (silent) Panicf(string, ...any)                  {}
func (silent) WithFields(logger.Fields) logger.Logger { return silent{} }
