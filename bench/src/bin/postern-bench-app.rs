//! Measures the resource use of the app: started by `cargo xtask bench app`, built for release.
//!
//! Prints a table and writes it to `bench/app.md`.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("The app is measured on Linux only.");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::fs;
    use std::io;
    use std::time::{Duration, Instant};

    use postern_desktop_tests::DesktopUser;
    use postern_engine::api::Request;
    use postern_testkit::{TIMEOUT, eventually_async};

    /// Starts that are measured; the table shows the middle one and the slowest.
    const STARTS: usize = 7;
    /// How long an idle app is watched.
    const WATCHED: Duration = Duration::from_secs(20);
    /// How long an app rests before it counts as idle.
    const RESTS: Duration = Duration::from_secs(10);

    pub(super) fn main() -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let text = runtime.block_on(measure());
        println!("{text}");
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/app.md"), text)
    }

    async fn measure() -> String {
        let (mut trays, mut windows, mut pages, mut firsts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        // Everything is built by now; a start below finds that out no more.
        drop(DesktopUser::new().await.command());
        for _ in 0..STARTS {
            let mut person = DesktopUser::new().await;
            if empty_the_cache() {
                firsts.push(start_to(&mut person, &["--hidden"], Seen::Tray).await);
                person.stop();
            }
            trays.push(start_to(&mut person, &["--hidden"], Seen::Tray).await);
            person.stop();
            windows.push(start_to(&mut person, &[], Seen::Window).await);
            person.stop();
            pages.push(start_to(&mut person, &[], Seen::Page).await);
        }
        let mut person = DesktopUser::new().await;
        start_to(&mut person, &["--hidden"], Seen::Tray).await;
        tokio::time::sleep(RESTS).await;
        let app = person.app().id();
        let hidden = (memory(app), processor(app).await);

        person.tray.click_icon().await;
        eventually_async("the window", TIMEOUT, || async { person.shows_window().then_some(()) }).await;
        tokio::time::sleep(RESTS).await;
        let asking = processor(app).await;
        let set_up = Request::SetUp { name: "Ann".into(), hubs: Vec::new(), this_computer: true };
        person.request(set_up).await.expect("nobody is set up yet");
        tokio::time::sleep(RESTS).await;
        let shown = (memory(app), processor(app).await);
        report([&mut trays, &mut windows, &mut pages, &mut firsts], hidden, shown, asking)
    }

    /// Has the kernel forget what it has read of files, as after it was started. Only root may.
    fn empty_the_cache() -> bool {
        fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
    }

    enum Seen {
        Tray,
        Window,
        /// Its page is drawn in the window, or the shape of what is to come.
        Page,
    }

    /// From starting the program until a person could use it.
    async fn start_to(person: &mut DesktopUser, arguments: &[&str], seen: Seen) -> Duration {
        let started = Instant::now();
        person.start(arguments);
        match seen {
            Seen::Tray => drop(person.tray.line("Not set up yet", |_| true).await),
            Seen::Window => {
                eventually_async("the window", TIMEOUT, || async { person.shows_window().then_some(()) }).await
            }
            Seen::Page => {
                eventually_async("the page", TIMEOUT, || async { person.desktop.is_drawn("Postern").then_some(()) })
                    .await
            }
        }
        started.elapsed()
    }

    /// The proportional share of memory of a program and all it started, in MiB, and how many processes they are.
    fn memory(app: u32) -> (f64, usize) {
        let family = family(app);
        let share = |process: &u32| -> Option<f64> {
            let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse().ok()
        };
        (family.iter().filter_map(share).sum::<f64>() / 1024.0, family.len())
    }

    /// The part of one processor that they used while they were watched, in percent.
    async fn processor(app: u32) -> f64 {
        let before = ticks(app);
        let started = Instant::now();
        tokio::time::sleep(WATCHED).await;
        // The kernel counts in hundredths of a second, on every machine we know.
        let used = (ticks(app) - before) / 100.0;
        100.0 * used / started.elapsed().as_secs_f64()
    }

    fn ticks(app: u32) -> f64 {
        let used = |process: &u32| -> Option<f64> {
            let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
            let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
            Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
        };
        family(app).iter().filter_map(used).sum()
    }

    /// A process and everything below it.
    fn family(app: u32) -> BTreeSet<u32> {
        let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| {
                let process = entry.file_name().to_str()?.parse().ok()?;
                let text = fs::read_to_string(entry.path().join("stat")).ok()?;
                let parent = text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
                Some((process, parent))
            })
            .collect();
        let mut family = BTreeSet::from([app]);
        loop {
            let known = family.len();
            let born = parents.iter().filter(|(_, parent)| family.contains(parent)).map(|(process, _)| *process);
            family.extend(born.collect::<Vec<_>>());
            if family.len() == known {
                return family;
            }
        }
    }

    type Idle = ((f64, usize), f64);

    fn report(starts: [&mut [Duration]; 4], hidden: Idle, shown: Idle, asking: f64) -> String {
        let [trays, windows, pages, firsts] = starts;
        let middle = |times: &mut [Duration]| {
            times.sort_unstable();
            if times.is_empty() {
                return "only root can measure it".into();
            }
            format!(
                "{:.2} s, slowest {:.2} s",
                times[times.len() / 2].as_secs_f64(),
                times[times.len() - 1].as_secs_f64()
            )
        };
        let idle = |((share, processes), processor): Idle| {
            (format!("{share:.0} MiB in {processes} process{}", if processes == 1 { "" } else { "es" }), processor)
        };
        let ((tray_memory, tray_processor), (window_memory, window_processor)) = (idle(hidden), idle(shown));
        format!(
            "# Resource use of the app\n\nWritten by `cargo xtask bench app`: a release build on a private desktop (Xvfb, software \
             rendering), timed\nfrom the start of the process until a panel shows its menu, the window is mapped, or its page is \
             drawn. {STARTS} starts each, median and\nslowest. Memory is the proportional set size (PSS) of the process and its \
             children, {} s after the start; processor time is\nmeasured over the following {} s.\n\nMachine: {}.\n\n\
             | figure | measured | target |\n|---|---|---|\n\
             | start to a usable tray | {} | under 0.5 s |\n\
             | start to a visible window | {} | under 0.5 s |\n\
             | start to a window with its page drawn, or the page's skeleton | {} | |\n\
             | start to a usable tray, cold file cache | {} | |\n\
             | memory, tray only, idle | {tray_memory} | under 100 MiB |\n\
             | processor, tray only, idle | {tray_processor:.1} % | 0.0 % |\n\
             | memory, window open, idle | {window_memory} | |\n\
             | processor, window open, idle | {window_processor:.1} % | |\n\
             | processor, window open, caret blinking in a field | {asking:.1} % | |\n",
            RESTS.as_secs(),
            WATCHED.as_secs(),
            machine(),
            middle(trays),
            middle(windows),
            middle(pages),
            middle(firsts),
        )
    }

    /// What it is measured on.
    fn machine() -> String {
        let value = |file: &str, key: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            let line = text.lines().find(|line| line.starts_with(key)).map(str::to_owned);
            line.and_then(|line| line.split_once(':').map(|(_, value)| value.trim().to_owned()))
                .unwrap_or_else(|| "unknown".into())
        };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let processor = value("/proc/cpuinfo", "model name");
        format!("{processor}, {cores} cores, {} of memory, Linux {}", value("/proc/meminfo", "MemTotal"), kernel.trim())
    }
}
