"""Two machines on one: network namespaces joined by a link that delays, loses and breaks as it is told."""
