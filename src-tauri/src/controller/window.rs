//! The one window, as the controller remembers it.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::input::WindowEvent;
use crate::face::{Event, Face, Navigate};

/// A click on the icon takes the focus away, which hides a popover, before it is told: that click must not bring it back.
const SAME_CLICK: Duration = Duration::from_millis(300);

/// Where the window is.
#[derive(Debug, Default)]
pub(super) struct Window {
    place: Place,
    focused: bool,
    /// Its page listens; what was said before is lost.
    listens: bool,
    /// What to tell it once it listens.
    goes_to: Option<Navigate>,
    pinned: bool,
    /// A dialog of ours is open, which has the keyboard meanwhile.
    asks: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Place {
    #[default]
    None,
    Shown,
    Hidden(Instant),
}

impl Window {
    pub(super) fn is_focused(&self) -> bool {
        self.place == Place::Shown && self.focused
    }

    pub(super) fn is_shown(&self) -> bool {
        self.place == Place::Shown
    }

    /// Shows it, at a part of it if there is one to show.
    pub(super) fn show(&mut self, face: &mut impl Face, part: Option<Navigate>) {
        if self.place == Place::None {
            self.listens = false;
        }
        self.place = Place::Shown;
        face.show_window();
        if let Some(part) = part {
            self.navigate(face, part);
        }
    }

    /// A click on the icon: shows it, or hides it if it is in front.
    pub(super) fn toggle(&mut self, face: &mut impl Face) {
        match self.place {
            Place::Shown if self.focused => self.hide(face),
            Place::Hidden(since) if since.elapsed() < SAME_CLICK && cfg!(not(target_os = "linux")) => {}
            _ => self.show(face, None),
        }
    }

    pub(super) fn hide(&mut self, face: &mut impl Face) {
        if self.place == Place::Shown {
            self.place = Place::Hidden(Instant::now());
            self.focused = false;
            face.hide_window();
        }
    }

    pub(super) fn pin(&mut self, face: &mut impl Face, on: bool) {
        self.pinned = on;
        face.pin_window(on);
    }

    pub(super) fn asks(&mut self, asks: bool) {
        self.asks = asks;
    }

    pub(super) fn heard(&mut self, face: &mut impl Face, event: WindowEvent) {
        match event {
            WindowEvent::Focused(focused) => {
                self.focused = focused;
                // Elsewhere it is a popover; on Linux it is a window like any other.
                if !focused && !self.pinned && !self.asks && cfg!(not(target_os = "linux")) {
                    self.hide(face);
                }
            }
            WindowEvent::CloseRequested => self.hide(face),
            WindowEvent::Destroyed => *self = Self::default(),
        }
    }

    /// Its page has asked for everything: from here on it hears what it is told.
    pub(super) fn listens(&mut self, face: &mut impl Face) {
        self.listens = true;
        if let Some(part) = self.goes_to.take() {
            face.emit(&Event::Navigate(part));
        }
    }

    pub(super) fn navigate(&mut self, face: &mut impl Face, part: Navigate) {
        match self.listens {
            true => face.emit(&Event::Navigate(part)),
            false => self.goes_to = Some(part),
        }
    }

    /// Waits until the window was hidden for long.
    pub(super) async fn forgotten(&self, kept: Duration) {
        match self.place {
            Place::Hidden(since) => sleep_until(since + kept).await,
            Place::None | Place::Shown => std::future::pending().await,
        }
    }

    pub(super) fn destroy(&mut self, face: &mut impl Face) {
        *self = Self::default();
        face.destroy_window();
    }
}
