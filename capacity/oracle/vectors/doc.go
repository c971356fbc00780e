// Package vectors replays random histories on the CNI's own data store (pkg/ipamd/datastore) and writes down what it did,
// for capacity/tests/vectors.rs to compare. It is a test because the CNI reads the time by time.Now and the fake clock of
// testing/synctest exists only in tests:
//
//	go test -count=1 ./vectors -run TestGenerate -args -out FILE [-seed 1] [-histories 2000]
//
// The seed decides the operations. Which address or ENI the CNI takes is decided by Go's map order; the choice is recorded.
//
// # Format
//
// Text, one operation a line, its result behind " > ". Behind " | ", after each operation that changes something, is
// GetIPStats("4"): total, prefixes, assigned, cooling. ENI n is "eni-n", pod n is "pod-n", times are in milliseconds.
//
//	# comment; the first line names the release of the CNI
//	h N sip|pd SECS    history N in secondary-IP or prefix mode, with IP_COOLDOWN_PERIOD; the store is empty, the time 0
//	t MS               so much time passes
//	E ENI DEVICE FLAGS AddENI; flags: p primary, t trunk, f EFA, - none               > ok | duplicate
//	X ENI 0|1          SetENIExcludedForPodIPs                                        > ok | unknown-eni
//	R ENI 0|1          RemoveENIFromDataStore, force                                  > ok | unknown-eni | in-use
//	U WARM MIN PREFIX  RemoveUnusedENIFromStore with the targets                      > ENI | none
//	C ENI CIDR         AddIPv4CidrToStore                                             > ok | unknown-eni | duplicate
//	D ENI CIDR 0|1     DelIPv4CidrFromStore, force                                    > ok | unknown-eni | unknown-block | in-use
//	a POD              AssignPodIPv4Address                                           > address | none
//	r POD              UnassignPodIPAddress                                           > address | unknown-pod
//	f ENI              FindFreeableCidrs (and FreeableIPs, FreeablePrefixes)          > CIDRs, ascending
//	g SLOTS 0|1        GetAllocatableENIs, skip the primary ENI                       > ENIs, ascending
//	c ENI CIDR         addresses that AssignPodIPv4Address may take from the block    > addresses, ascending
//	q                  GetFreePrefixes, CheckFreeableENIexists, GetENIInfos' totals   > prefixes 0|1 total assigned
//	d                  GetENIInfos, all of it: pod 5 holds, or released at 1500       > ENI[CIDR{IP=pod5,IP=rel1500},...],...
//
// Lists are separated by commas, "-" is the empty list.
package vectors
