// Package job runs batch/v1 Jobs and CronJobs on one machine, with the rules
// that their controllers follow in a cluster and without one.
//
//   - Controller decides, for one Job, which pods to start and which to end. It
//     is pure: it knows no process, and the time is what it is told.
//   - Runner runs a pod: the commands of its containers as process groups.
//   - Loop brings the two together.
//   - Cron decides when a CronJob makes a Job, and which old ones go; CronLoop
//     is the loop around it.
//
// Where this package and the controllers differ it is a fault here, but for
// what only a cluster can honour: Unsupported lists that of a Job, and what
// would change what a command does is refused.
package job
