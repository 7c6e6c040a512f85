//! Postern's shell: tray, window and notifications around the engine.
//!
//! ```text
//!            ┌──────────── controller (owns all state) ────────────┐
//! engine ◄──►│ Snapshot ─► tray ─► Tray     Notice ─► notification │◄──► DesktopIntegration: the desktop, or a test's recorder
//!            └─────────────────────────────────────────────────────┘
//!   single_instance: one process per data directory     commands: what the window's page may call
//! ```
//!
//! * [`controller`] decides, [`desktop_integration`] is the interface to the desktop, `native_desktop` implements it.
//! * [`tray`] and [`notification`]: pure functions of the engine's state, and the backends that send them to the system.
//! * `window`, `commands`, [`shell`], [`shell_settings`]: the one window, its calls, the shell's own state and settings.
//! * [`single_instance`], [`engine_proxy`]: the file lock, and the engine as seen through the control socket.
//! * [`arguments`], `link_handoff`, `local_engine`, `logs`, `panic_reporter`, `platform`: how the program starts, and how it fails.
//! * [`untrusted_text`]: sanitizes names from other people.

pub mod arguments;
mod commands;
pub mod controller;
pub mod desktop_integration;
pub mod engine_proxy;
mod link_handoff;
mod local_engine;
mod logs;
mod native_desktop;
pub mod notification;
mod panic_reporter;
mod platform;
pub mod shell;
pub mod shell_settings;
pub mod single_instance;
pub mod tray;
pub mod untrusted_text;
mod user_name;
mod window;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use postern_engine::api::Secret;
use postern_engine::control;
use tauri::{RunEvent, WindowEvent};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tracing::{error, info, warn};

use arguments::Arguments;
use controller::{Controller, Input, Options, Timeouts};
use engine_proxy::EngineProxy;
use single_instance::{Claim, Lock};

/// The application id: the name of the desktop entry, the icon and the windows.
pub const APP_ID: &str = "org.postern.app";
/// The exit code if there is no display: `EX_UNAVAILABLE` of `sysexits.h`.
const EXIT_NO_DISPLAY: u8 = 69;
/// How long the runtime's tasks may take to end after the controller has. Enough for a file that is being written; a task
/// that waits for the user (a keychain prompt) is abandoned.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);
/// How many inputs the controller's queue holds: more than a user or a script produces while one is handled. When it is full,
/// calls wait (backpressure); clicks and window events are dropped, so that the main thread never blocks.
const INPUT_CAPACITY: usize = 256;

/// Runs the program and returns its exit code.
#[must_use]
pub fn run() -> ExitCode {
    let mut arguments = Arguments::parse();
    if let Some(text) = &arguments.error_dialog {
        panic_reporter::show_dialog(text);
        return ExitCode::SUCCESS;
    }
    let data_dir = match data_dir(&arguments) {
        Ok(data_dir) => data_dir,
        Err(why) => {
            panic_reporter::report_fatal(&why, "Choose another directory with --data-dir.", Path::new("none yet"));
            return ExitCode::FAILURE;
        }
    };
    let log = logs::path(&data_dir);
    if let Err(error) = logs::init(&data_dir) {
        let why = format!("The log file cannot be written ({error}).");
        panic_reporter::report_fatal(&why, "Check the permissions of the directory.", &log);
        return ExitCode::FAILURE;
    }
    panic_reporter::install(log.clone());
    platform::webkit::prepare();
    take_link(&mut arguments);
    match start(arguments, data_dir, log.clone()) {
        Ok(code) => code,
        Err(why) => {
            panic_reporter::report_fatal(&format!("Postern could not start: {why}"), "Then start it again.", &log);
            ExitCode::FAILURE
        }
    }
}

/// Takes the link out of the process's arguments: reads it if it was handed over, else runs the program again without it.
fn take_link(arguments: &mut Arguments) {
    if arguments.link_from_stdin {
        match link_handoff::read(io::stdin().lock()) {
            Ok(link) => arguments.link = Some(link),
            Err(error) => warn!("the link could not be read, open it again: {error}"),
        }
    } else if let Some(link) = arguments.link.as_ref().filter(|_| arguments.passphrase_fd != Some(0)) {
        // With a passphrase on the standard input there is no room for the link.
        if let Err(error) = link_handoff::run_without(link) {
            warn!("the link stays visible in the process list until Postern is quit: {error}");
        }
    }
}

fn start(mut arguments: Arguments, data_dir: PathBuf, log: PathBuf) -> Result<ExitCode, String> {
    let runtime =
        Runtime::new().map_err(|error| format!("no threads can be created ({error}). Close other programs."))?;
    let lock = match runtime.block_on(single_instance::claim(&data_dir, arguments.link.clone()))? {
        Claim::Primary(lock) => lock,
        Claim::Secondary => {
            // Standard output may be closed.
            let _ = writeln!(io::stdout(), "Postern is already running. Its window is shown, if it has one.");
            return Ok(ExitCode::SUCCESS);
        }
    };
    if let Err(why) = platform::display::ensure_available() {
        panic_reporter::print_error(&format!(
            "Postern needs a display: {why}. Without one, use the command line: `postern`."
        ));
        return Ok(ExitCode::from(EXIT_NO_DISPLAY));
    }
    if arguments.data_dir.is_none() {
        // Links must open with the default data directory, not with the one of a test or a second profile.
        runtime.spawn_blocking(platform::url_scheme::register);
        runtime.spawn_blocking(platform::autostart::repair);
    }
    let options = Options {
        hidden: arguments.hidden,
        link: arguments.link.take(),
        data_dir,
        log_file: log,
        timeouts: Timeouts::default(),
    };
    let factory = local_engine::LocalEngineFactory::new(&arguments, &options.data_dir)?;
    Ok(run_event_loop(runtime, factory, options, lock, arguments.panic))
}

/// Runs until the user quits. The lock is released last.
#[expect(clippy::disallowed_methods, reason = "Tauri's macro calls exit in its own code")]
fn run_event_loop(
    runtime: Runtime,
    factory: local_engine::LocalEngineFactory,
    options: Options,
    lock: Lock,
    panic_on_start: bool,
) -> ExitCode {
    let (inputs, input_receiver) = mpsc::channel(INPUT_CAPACITY);
    tauri::async_runtime::set(runtime.handle().clone());
    let entered = runtime.enter();
    let engine_proxy = EngineProxy::new(options.data_dir.clone(), inputs.clone());

    let app = app_builder(inputs.clone()).build(tauri::generate_context!());
    let app = app.expect("the configuration was checked when the program was built");
    let logs = options.log_file.parent().unwrap_or(Path::new("/")).to_owned();
    let desktop = native_desktop::NativeDesktop::new(app.handle().clone(), &inputs, engine_proxy.clone(), logs);
    let controller = runtime.spawn(async move {
        assert!(!panic_on_start, "requested with --panic");
        Controller::new(desktop, factory, options, input_receiver).run().await;
    });
    // Without the controller the user could not quit the program.
    let handle = app.handle().clone();
    let ended = runtime.spawn(async move {
        let ended = controller.await;
        if ended.is_err() {
            handle.exit(1);
        }
        ended
    });
    runtime.spawn(serve_control_socket(engine_proxy, inputs.clone()));
    runtime.spawn(quit_on_signal(inputs.clone()));
    runtime.spawn(platform::connectivity::watch(inputs.clone()));
    info!("version {}", env!("CARGO_PKG_VERSION"));

    app.run_return(move |app, event| forward_window_event(app, &inputs, event));
    let ended = runtime.block_on(ended).and_then(|controller| controller);
    drop(entered);
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    drop(lock);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("the controller panicked, exiting: {error}");
            ExitCode::FAILURE
        }
    }
}

fn app_builder(inputs: mpsc::Sender<Input>) -> tauri::Builder<tauri::Wry> {
    let builder = tauri::Builder::default();
    #[cfg(not(target_os = "linux"))]
    let builder = builder.plugin(tauri_plugin_autostart::Builder::new().arg("--hidden").build());
    builder.manage(commands::ControllerHandle(inputs)).manage(window::ShouldShow::default()).invoke_handler(
        tauri::generate_handler![
            commands::request,
            commands::snapshot,
            commands::shell_state,
            commands::shell,
            commands::save_as,
            commands::open_file,
        ],
    )
}

/// Forwards window events to the controller. Runs on the main thread, so it never blocks.
fn forward_window_event(app: &tauri::AppHandle, inputs: &mpsc::Sender<Input>, event: RunEvent) {
    let window_event = match event {
        RunEvent::ExitRequested { code: None, api, .. } => {
            // The last window was destroyed; the tray remains.
            api.prevent_exit();
            return;
        }
        RunEvent::WindowEvent { event: WindowEvent::CloseRequested { api, .. }, .. } => {
            api.prevent_close();
            controller::WindowEvent::CloseRequested
        }
        RunEvent::WindowEvent { event: WindowEvent::Resized(_), .. } => match window::size_of(app) {
            Some(size) => controller::WindowEvent::Resized(size),
            None => return,
        },
        RunEvent::WindowEvent { event: WindowEvent::Focused(focused), .. } => controller::WindowEvent::Focused(focused),
        RunEvent::WindowEvent { event: WindowEvent::Destroyed, .. } => controller::WindowEvent::Destroyed,
        _ => return,
    };
    if let Err(error) = inputs.try_send(Input::Window(window_event)) {
        warn!("dropped a window event: {error}");
    }
}

/// Serves the control socket until the runtime ends.
async fn serve_control_socket(engine_proxy: EngineProxy, inputs: mpsc::Sender<Input>) {
    let raise = move |link: Option<Secret>| {
        let input = link.map_or(Input::ShowWindow, Input::OpenLink);
        if let Err(error) = inputs.try_send(input) {
            warn!("dropped the request of a second instance: {error}");
        }
    };
    match control::serve(engine_proxy, raise).await {
        Ok(control) => {
            std::future::pending::<()>().await;
            drop(control);
        }
        Err(fault) => warn!("the control socket cannot be opened, links and the command line do not work: {fault}"),
    }
}

/// Quits on SIGTERM and SIGINT (Ctrl-C), so that the engine shuts down cleanly.
async fn quit_on_signal(inputs: mpsc::Sender<Input>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    // Fails only when the program is quitting already.
    let _ = inputs.send(Input::Tray(tray::TrayAction::Quit)).await;
}

fn data_dir(arguments: &Arguments) -> Result<PathBuf, String> {
    let chosen = match &arguments.data_dir {
        Some(chosen) => chosen.clone(),
        None => {
            let project = directories::ProjectDirs::from("", "", "postern");
            project.ok_or("There is no home directory.")?.data_dir().to_owned()
        }
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    let made = builder.create(&chosen).and_then(|()| chosen.canonicalize());
    made.map_err(|error| format!("{} cannot be used ({error}).", chosen.display()))
}
