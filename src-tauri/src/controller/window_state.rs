//! The one window, as the controller remembers it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::input::WindowEvent;
use crate::desktop_integration::{DesktopIntegration, Event, Navigate};

/// A click on the icon takes the focus away, which hides a popover, before it is told: that click must not bring it back.
const TOGGLE_DEBOUNCE: Duration = Duration::from_millis(300);

/// Where the window is.
#[derive(Debug, Default)]
pub(super) struct WindowState {
    visibility: Visibility,
    focused: bool,
    /// Its page listens; what was said before is lost.
    page_ready: bool,
    /// What to tell it once it listens.
    pending_navigation: Option<Navigate>,
    pinned: bool,
    /// A dialog of ours is open, which has the keyboard meanwhile.
    modal_open: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Visibility {
    #[default]
    NotCreated,
    Visible,
    Hidden(Instant),
}

impl WindowState {
    pub(super) fn is_focused(&self) -> bool {
        self.visibility == Visibility::Visible && self.focused
    }

    pub(super) fn is_visible(&self) -> bool {
        self.visibility == Visibility::Visible
    }

    /// Shows it, at a part of it if there is one to show.
    pub(super) fn show(&mut self, desktop: &mut impl DesktopIntegration, part: Option<Navigate>) {
        if self.visibility == Visibility::NotCreated {
            self.page_ready = false;
        }
        self.visibility = Visibility::Visible;
        desktop.show_window();
        if let Some(part) = part {
            self.navigate(desktop, part);
        }
    }

    /// A click on the icon: shows it, or hides it if it is in front.
    pub(super) fn toggle(&mut self, desktop: &mut impl DesktopIntegration) {
        match self.visibility {
            Visibility::Visible if self.focused => self.hide(desktop),
            Visibility::Hidden(since) if since.elapsed() < TOGGLE_DEBOUNCE && cfg!(not(target_os = "linux")) => {}
            _ => self.show(desktop, None),
        }
    }

    pub(super) fn hide(&mut self, desktop: &mut impl DesktopIntegration) {
        if self.visibility == Visibility::Visible {
            self.visibility = Visibility::Hidden(Instant::now());
            self.focused = false;
            desktop.hide_window();
        }
    }

    pub(super) fn pin(&mut self, desktop: &mut impl DesktopIntegration, on: bool) {
        self.pinned = on;
        desktop.pin_window(on);
    }

    pub(super) fn set_modal_open(&mut self, open: bool) {
        self.modal_open = open;
    }

    pub(super) fn on_event(&mut self, desktop: &mut impl DesktopIntegration, event: WindowEvent) {
        match event {
            WindowEvent::Focused(focused) => {
                self.focused = focused;
                // Elsewhere it is a popover; on Linux it is a window like any other.
                if !focused && !self.pinned && !self.modal_open && cfg!(not(target_os = "linux")) {
                    self.hide(desktop);
                }
            }
            WindowEvent::CloseRequested => self.hide(desktop),
            WindowEvent::Destroyed => *self = Self::default(),
        }
    }

    /// Its page has asked for everything: from here on it hears what it is told.
    pub(super) fn page_ready(&mut self, desktop: &mut impl DesktopIntegration) {
        self.page_ready = true;
        if let Some(part) = self.pending_navigation.take() {
            desktop.emit(&Event::Navigate(part));
        }
    }

    pub(super) fn navigate(&mut self, desktop: &mut impl DesktopIntegration, part: Navigate) {
        match self.page_ready {
            true => desktop.emit(&Event::Navigate(part)),
            false => self.pending_navigation = Some(part),
        }
    }

    /// Waits until the window was hidden for long.
    pub(super) async fn expired(&self, lifetime: Duration) {
        match self.visibility {
            Visibility::Hidden(since) => sleep_until(since + lifetime).await,
            Visibility::NotCreated | Visibility::Visible => std::future::pending().await,
        }
    }

    pub(super) fn destroy(&mut self, desktop: &mut impl DesktopIntegration) {
        *self = Self::default();
        desktop.destroy_window();
    }
}
