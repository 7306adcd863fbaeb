// The peer of the HEC benchmark: the engine of Redpanda Connect (benthos v4, MIT) with the Kafka client that it uses (franz-go), from a topic to
// Splunk HEC. Connect's own splunk_hec output needs a licence and parses each event; `fast` is what a careful operator would write instead.
//
// One process runs one round: it prints {"seconds","cpuSeconds","rssMb","delivered"} when all events were answered with 2xx, and ends.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/twmb/franz-go/pkg/kgo"
)

const mostEvents = 2000

var (
	wanted    int64
	delivered atomic.Int64
	began     time.Time
	cpuBefore float64
	done      = make(chan struct{})
)

// As Connect's own input does: batches as they were polled, offsets marked when their batch was acknowledged.
type input struct {
	client  *kgo.Client
	waiting []*kgo.Record
}

func (i *input) Connect(context.Context) error { return nil }

func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	if len(i.waiting) == 0 {
		fetches := i.client.PollRecords(ctx, 20_000)
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		i.waiting = fetches.Records()
		if len(i.waiting) == 0 {
			return nil, nil, service.ErrNotConnected
		}
		if began.IsZero() {
			began = time.Now()
			cpuBefore = cpuSeconds()
		}
	}
	count := min(mostEvents, len(i.waiting))
	records := i.waiting[:count]
	i.waiting = i.waiting[count:]
	batch := make(service.MessageBatch, count)
	for at, record := range records {
		batch[at] = message(record)
	}
	return batch, func(_ context.Context, err error) error {
		if err != nil {
			return err
		}
		i.client.MarkCommitRecords(records...)
		if delivered.Add(int64(count)) == wanted {
			close(done)
		}
		return nil
	}, nil
}

// With the metadata that the page of Connect's `kafka_franz` input lists, and which users cannot switch off.
func message(record *kgo.Record) *service.Message {
	m := service.NewMessage(record.Value)
	m.MetaSetMut("kafka_key", record.Key)
	m.MetaSetMut("kafka_topic", record.Topic)
	m.MetaSetMut("kafka_partition", int(record.Partition))
	m.MetaSetMut("kafka_offset", int(record.Offset))
	m.MetaSetMut("kafka_timestamp_unix", record.Timestamp.Unix())
	m.MetaSetMut("kafka_timestamp_ms", record.Timestamp.UnixMilli())
	m.MetaSetMut("kafka_tombstone_message", record.Value == nil)
	for _, header := range record.Headers {
		m.MetaSetMut(header.Key, string(header.Value))
	}
	return m
}

func (i *input) Close(context.Context) error { i.client.Close(); return nil }

func cpuSeconds() float64 {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return seconds(used.Utime) + seconds(used.Stime)
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func rssMB() float64 {
	var used syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return float64(used.Maxrss) / 1024
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func mapping(parse bool) string {
	if parse {
		return `root.event = this
root.source = "s4e"
root.sourcetype = "_json"
root.index = "security"`
	}
	return `root = "{\"index\":\"security\",\"source\":\"s4e\",\"sourcetype\":\"_json\",\"event\":" + content().string() + "}"`
}

// Arguments: brokers topic group url events parse|fast plain|gzip
func main() {
	brokers, topic, group, url := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	count, err := strconv.ParseInt(os.Args[5], 10, 64)
	must(err)
	wanted = count
	parse, gzip := os.Args[6] == "parse", os.Args[7] == "gzip"

	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers),
		kgo.ConsumeTopics(topic),
		kgo.ConsumerGroup(group),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.AutoCommitMarks(),
	)
	must(err)
	must(service.RegisterBatchInput("bench_kafka", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
			// As `auto_replay_nacks`, on by default.
			return service.AutoRetryNacksBatched(&input{client: client}), nil
		}))

	processors := []any{
		map[string]any{"mapping": mapping(parse)},
		map[string]any{"archive": map[string]any{"format": "concatenate"}},
	}
	headers := map[string]string{"Authorization": "Splunk bench", "Content-Type": "application/json"}
	if gzip {
		processors = append(processors, map[string]any{"compress": map[string]any{"algorithm": "gzip", "level": 1}})
		headers["Content-Encoding"] = "gzip"
	}
	config, err := json.Marshal(map[string]any{
		"input":    map[string]any{"bench_kafka": map[string]any{}},
		"pipeline": map[string]any{"threads": 2, "processors": processors},
		"output": map[string]any{"http_client": map[string]any{
			"url": url, "verb": "POST", "headers": headers, "max_in_flight": 4,
		}},
		"logger": map[string]any{"level": "WARN"},
	})
	must(err)
	builder := service.NewStreamBuilder()
	must(builder.SetYAML(string(config)))
	stream, err := builder.Build()
	must(err)
	go func() { must(stream.Run(context.Background())) }()
	<-done
	must(json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"seconds":    time.Since(began).Seconds(),
		"cpuSeconds": cpuSeconds() - cpuBefore,
		"rssMb":      rssMB(),
		"delivered":  float64(delivered.Load()),
	}))
	must(client.CommitMarkedOffsets(context.Background()))
}
