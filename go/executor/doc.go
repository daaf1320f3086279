// Package executor is the executor's side of the Mesos executor API v1: it subscribes to the agent, starts and kills what the
// agent asks for, and sees every status update through to its acknowledgement. It follows src/executor/executor.cpp (the
// connection) and src/launcher/default_executor.cpp (tasks) of Apache Mesos, and says where it differs.
//
// It never talks to Docker and never decides how a pod lives: a Launcher turns a TaskInfo into a Task, and the Task reports.
//
//	environment -> Config -> Run: one goroutine owns all state
//	                          |  inputs: events of the agent, results of calls, reports of tasks, timers, the end of ctx
//	                          |
//	     connecting -> subscribed -> (connection lost) -> connecting …   within the recovery timeout
//	                          |
//	     closing: SHUTDOWN, SIGTERM, ERROR or an agent that is lost for good; every task is shut down
//	                          |
//	     ended: no task is left, and no update waits for its acknowledgement (or none can come any more)
package executor
