#!/usr/bin/env bash
# One Apache Kafka broker (KRaft) for tests, on a loopback port where nothing else is said.
#
#   kafka.sh fetch                   the broker's libraries into the cache folder
#   kafka.sh start [FOLDER [PORT [HOST]]]
#                                    start it (fetches first), print its address, return when it serves
#   kafka.sh stop  [FOLDER]          stop it
#   kafka.sh wipe  [FOLDER]          stop it and delete its data
#
# FOLDER holds data, log and pid, default "kafka" in the cache folder; PORT and PORT + 1 are used, default 19092.
# HOST is the address of this machine that it listens on and names to clients, default 127.0.0.1.
set -euo pipefail
# shellcheck source=deploy/setup/env.sh
. "$(dirname "$0")/env.sh"

version=4.1.0
scala=2.13
logging=2.24.3
plugin=org.apache.maven.plugins:maven-dependency-plugin:3.6.1
library=$NAAP_CACHE_DIR/kafka-$version

verb=${1:-}
folder=${2:-$NAAP_CACHE_DIR/kafka}
port=${3:-19092}
host=${4:-127.0.0.1}

fetch() {
    [ -f "$library/complete" ] && return
    have mvn || die "Maven is needed to fetch Apache Kafka: apt-get install maven"
    say "fetching Apache Kafka $version (43 MB, once)"
    mkdir -p "$library"
    cat >"$library/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>naap</groupId><artifactId>test-kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_$scala</artifactId><version>$version</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>$logging</version></dependency>
  </dependencies>
</project>
POM
    mvn -q -B -f "$library/pom.xml" "$plugin:copy-dependencies" -DoutputDirectory="$library/lib" >&2 ||
        die "Apache Kafka $version could not be fetched from Maven Central; check the network and try again"
    touch "$library/complete"
}

is_running() { [ -f "$folder/pid" ] && kill -0 "$(cat "$folder/pid")" 2>/dev/null; }

java_run() { java -cp "$library/lib/*" -Dlog4j2.level=WARN "$@"; }

settings() {
    cat <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$((port + 1))
listeners=PLAINTEXT://$host:$port,CONTROLLER://127.0.0.1:$((port + 1))
advertised.listeners=PLAINTEXT://$host:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$folder/data
num.partitions=1
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=2000
log.retention.check.interval.ms=1000
log.cleaner.backoff.ms=1000
END
}

start() {
    is_running && die "a broker runs already in $folder; kafka.sh stop ends it"
    have java || die "Java 17 or newer is needed to run Apache Kafka: apt-get install openjdk-17-jre-headless"
    fetch
    mkdir -p "$folder"
    settings >"$folder/server.properties"
    java_run kafka.tools.StorageTool format --ignore-formatted \
        --cluster-id naap-test-kafka-000001 --config "$folder/server.properties" >"$folder/format.log" 2>&1 ||
        die "the storage in $folder could not be formatted; see $folder/format.log, or kafka.sh wipe"
    # A session of its own: it outlives this script and gets no signals of the terminal.
    setsid java -Xmx512m -cp "$library/lib/*" -Dlog4j2.level=WARN kafka.Kafka "$folder/server.properties" \
        >"$folder/server.log" 2>&1 </dev/null &
    echo $! >"$folder/pid"
    for _ in $(seq 300); do
        is_running || die "the broker ended; see $folder/server.log"
        if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
            echo "$host:$port"
            return
        fi
        sleep 0.2
    done
    die "the broker does not answer on port $port; see $folder/server.log"
}

stop() {
    is_running || return 0
    kill "$(cat "$folder/pid")"
    for _ in $(seq 150); do
        is_running || break
        sleep 0.2
    done
    if is_running; then kill -9 "$(cat "$folder/pid")"; fi
    rm -f "$folder/pid"
}

case $verb in
    fetch) fetch ;;
    start) start ;;
    stop) stop ;;
    wipe) stop; rm -rf "$folder" ;;
    *) die "unknown verb \"$verb\"; use fetch, start, stop or wipe" ;;
esac
