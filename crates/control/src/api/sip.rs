//! `/v1/calls/{id}/sip`.

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use gateway::{PCAP_MEDIA_TYPE, ladder, pcap};
use utoipa::ToSchema;

use super::Api;
use super::extract::Id;
use super::problem::Problem;
use crate::signalling;

const PLAIN: &str = "text/plain; charset=utf-8";

/// Shows the SIP messages of a call, so far: a ladder of arrows and each message in full, or a capture file when
/// `Accept` asks for it. Credentials, media keys and digits are asterisks.
#[utoipa::path(
    get,
    path = "/v1/calls/{id}/sip",
    operation_id = "show_sip",
    tag = "calls",
    params(("id" = String, Path, description = "The call")),
    responses(
        (status = 200, description = "A ladder, or with `Accept: application/vnd.tcpdump.pcap` a capture file", content((String = "text/plain"), (Pcap = "application/vnd.tcpdump.pcap"))),
        (status = 401, description = "No key", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such call (`not_found`), or no message of it is kept (`no_sip_messages`): it was not dialed, or its time to be kept is over", body = Problem, content_type = "application/problem+json"),
    ),
    security(("key" = []))
)]
pub(crate) async fn show(State(api): State<Api>, Id(id): Id, headers: HeaderMap) -> Result<Response, Problem> {
    let messages = signalling::messages(&api.calls, &id).await?;
    let vary = (header::VARY, "accept".to_owned());
    if wants_pcap(&headers) {
        let name = format!("attachment; filename=\"{id}.pcap\"");
        let headers = [vary, (header::CONTENT_TYPE, PCAP_MEDIA_TYPE.to_owned()), (header::CONTENT_DISPOSITION, name)];
        return Ok((headers, pcap(&messages)).into_response());
    }
    Ok(([vary, (header::CONTENT_TYPE, PLAIN.to_owned())], ladder(&messages)).into_response())
}

/// Whether a capture is asked for by name.
fn wants_pcap(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut ranges = values.flat_map(|value| value.split(','));
    ranges.any(|range| range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(PCAP_MEDIA_TYPE))
}

/// A capture file: one packet a message, with the addresses it had.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "this only describes the bytes")]
struct Pcap(Vec<u8>);

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_capture_is_handed_out_only_when_asked_for_by_name() {
        let check = |accept: &[&'static str], expected: bool| {
            let headers = accept.iter().map(|value| (header::ACCEPT, HeaderValue::from_static(value))).collect();
            assert_eq!(wants_pcap(&headers), expected, "{accept:?}");
        };
        check(&[], false);
        check(&["*/*"], false);
        check(&["text/plain, application/*"], false);
        check(&["application/vnd.tcpdump.pcap"], true);
        check(&["text/html, Application/Vnd.Tcpdump.Pcap;q=0.5"], true);
        check(&["text/plain", "application/vnd.tcpdump.pcap"], true);
    }
}
