// Package aurora reads what Aurora's scheduler puts into TaskInfo.data: an AssignedTask of its API, as Thrift's binary protocol
// writes it (apache/aurora, src/main/java/org/apache/aurora/scheduler/mesos/MesosTaskFactory.java, serializeTask). It takes
// any bytes and never trusts a length in them. It decides nothing about a task.
package aurora
