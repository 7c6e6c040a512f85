//! Plain Kafka: the client library that the hub has, with the same settings.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

/// Nothing takes longer.
const TIMEOUT: Duration = Duration::from_secs(60);

type Sender = ThreadedProducer<DefaultProducerContext>;

pub(crate) struct Plain {
    bootstrap: String,
    linger_ms: u64,
}

impl Plain {
    pub(crate) fn new(bootstrap: &str, linger_ms: u64) -> Self {
        Self { bootstrap: bootstrap.to_owned(), linger_ms }
    }

    /// From the first message produced to the last consumed.
    pub(crate) fn oneway(&self, bytes: usize, messages: usize) -> Result<Duration> {
        let topic = self.topic()?;
        let consumer = self.consumer(&topic)?;
        let producer = self.producer()?;
        let started = Instant::now();
        let consuming = thread::spawn(move || (0..messages).try_for_each(|_| next(&consumer).map(drop)));
        let payload = vec![7; bytes];
        for _ in 0..messages {
            send(&producer, &topic, &payload)?;
        }
        consuming.join().map_err(|_| anyhow::anyhow!("the consumer panicked"))??;
        Ok(started.elapsed())
    }

    /// Through one topic there and another one back.
    pub(crate) fn echo(&self, echoes: usize) -> Result<Vec<Duration>> {
        let (there, back) = (self.topic()?, self.topic()?);
        let (echoing, answers) = (self.consumer(&there)?, self.consumer(&back)?);
        let (asking, answering) = (self.producer()?, self.producer()?);
        let echoer = thread::spawn(move || {
            (0..=echoes).try_for_each(|_| next(&echoing).and_then(|payload| send(&answering, &back, &payload)))?;
            // What is in its queue would be lost with it.
            anyhow::Ok(answering.flush(TIMEOUT)?)
        });
        let mut times = Vec::new();
        for _ in 0..=echoes {
            let started = Instant::now();
            send(&asking, &there, &[7; 64])?;
            next(&answers)?;
            times.push(started.elapsed());
        }
        echoer.join().map_err(|_| anyhow::anyhow!("the echoer panicked"))??;
        // The first one connects.
        times.remove(0);
        Ok(times)
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    fn producer(&self) -> Result<Sender> {
        let mut config = self.config();
        config.set("acks", "all").set("enable.idempotence", "true");
        Ok(config.set("linger.ms", self.linger_ms.to_string()).create()?)
    }

    fn consumer(&self, topic: &str) -> Result<BaseConsumer> {
        let mut config = self.config();
        config.set("group.id", "bench").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, 0, Offset::Beginning)?;
        consumer.assign(&list)?;
        Ok(consumer)
    }

    /// A new topic.
    fn topic(&self) -> Result<String> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("bench-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let admin: AdminClient<_> = self.config().create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let new = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
        let created = runtime.block_on(admin.create_topics([&new], &AdminOptions::new()))?;
        match created.into_iter().next() {
            Some(Ok(_)) => Ok(name),
            other => bail!("the topic was not created: {other:?}"),
        }
    }
}

/// Queues a message; waits while the queue is full.
fn send(producer: &Sender, topic: &str, payload: &[u8]) -> Result<()> {
    loop {
        let record = BaseRecord::<(), [u8]>::to(topic).payload(payload);
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => {
                // Returns when something was delivered, at the latest after this time.
                let _ = producer.flush(Duration::from_millis(1));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

fn next(consumer: &BaseConsumer) -> Result<Vec<u8>> {
    let message = consumer.poll(TIMEOUT).context("no message came in time")??;
    Ok(message.payload().unwrap_or_default().to_vec())
}
