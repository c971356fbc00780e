//! Known failures in the logs of ipamd, kubelet, containerd, cloud-init and Cluster Autoscaler.
