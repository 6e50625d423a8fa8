"""Settings of serving, in words: where to listen, whom to ask, how long, how often."""

from collections.abc import Mapping

from holdfast.language import Sentence

SERVING: Mapping[str, Sentence] = {
    "language": Sentence(
        "The language of what holdfast says to people: en or ko.",
        ko="사람에게 보이는 문장의 언어: en 또는 ko.",
    ),
    "gateway.host": Sentence(
        "The address to listen on; anything but loopback needs keys and an admin token.",
        ko="수신 주소. 루프백이 아니면 키와 관리자 토큰이 필요합니다.",
    ),
    "gateway.port": Sentence(
        "The port to listen on; 0 takes any free one.", ko="수신 포트. 0이면 빈 포트를 씁니다."
    ),
    "gateway.max_body": Sentence(
        "The largest body of a message, in bytes.", ko="메시지 본문의 최대 크기(바이트)."
    ),
    "gateway.max_batch": Sentence(
        "The largest batch of requests, in bytes.", ko="배치 요청의 최대 크기(바이트)."
    ),
    "gateway.max_upload": Sentence(
        "The largest file or skill, in bytes.", ko="파일과 스킬의 최대 크기(바이트)."
    ),
    "gateway.workers": Sentence(
        "Processes that serve one address.", ko="한 주소를 함께 처리하는 프로세스 수."
    ),
    "gateway.tls_cert": Sentence(
        "A PEM file with the certificate; with it the gateway speaks only TLS.",
        ko="인증서 PEM 파일. 지정하면 TLS로만 통신합니다.",
    ),
    "gateway.tls_key": Sentence(
        "A PEM file with its private key, where that is not in the certificate's.",
        ko="개인 키 PEM 파일. 인증서 파일에 함께 있으면 생략합니다.",
    ),
    "gateway.trusted_proxies": Sentence(
        "Addresses and networks whose x-forwarded-for and x-forwarded-proto are believed.",
        ko="x-forwarded-for와 x-forwarded-proto를 믿는 주소와 네트워크.",
    ),
    "gateway.passthrough": Sentence(
        "Further paths under /v1/ that go upstream as they are.",
        ko="업스트림으로 그대로 보낼 /v1/ 아래의 추가 경로.",
    ),
    "gateway.max_connections": Sentence(
        "Connections of one worker; who comes when all are taken is told to come back.",
        ko="워커 하나의 최대 연결 수. 넘으면 다시 오라고 알립니다.",
    ),
    "gateway.keep_alive": Sentence(
        "Seconds for which an idle connection stays open.", ko="쉬는 연결을 열어 두는 시간(초)."
    ),
    "gateway.head_timeout": Sentence(
        "Seconds that a whole head of a request may take.", ko="요청 헤더 전체를 받는 제한 시간(초)."
    ),
    "gateway.reader_timeout": Sentence(
        "Seconds that a client may leave an answer unread.",
        ko="응답을 읽지 않는 클라이언트를 끊기까지의 시간(초).",
    ),
    "gateway.drain_timeout": Sentence(
        "Seconds that running calls may take to end at shutdown.",
        ko="종료할 때 진행 중인 호출을 기다리는 시간(초).",
    ),
    "store.url": Sentence(
        "Where calls are written down: sqlite:///FILE or postgresql://...; empty means a file in your data folder.",
        ko="기록 저장소: sqlite:///파일 또는 postgresql://... 비우면 사용자 데이터 폴더의 파일.",
    ),
    "store.emergency_usd": Sentence(
        "Dollars that calls may cost one worker while the store is away, where only soft budgets count them.",
        ko="저장소에 연결할 수 없는 동안 유연한 예산의 호출이 워커 하나에서 쓸 수 있는 금액(달러).",
    ),
    "store.keep_days": Sentence(
        'Days after which calls and conversations are forgotten; their sums stay. "none" keeps everything.',
        ko='호출과 대화의 보관 일수. 합계는 남습니다. "none"이면 모두 보관합니다.',
    ),
    "upstreams.NAME.url": Sentence(
        'The base address of a Messages API without /v1, or "simulator".',
        ko='/v1을 뺀 Messages API 주소 또는 "simulator".',
    ),
    "upstreams.NAME.key_env": Sentence(
        "The environment variable that holds its key; NAME_FILE may name a file instead.",
        ko="키가 든 환경 변수 이름. 이름 뒤에 _FILE을 붙이면 파일에서 읽습니다.",
    ),
    "upstreams.NAME.key_envs": Sentence(
        "Variables with further keys, which stand in, in order, when the first may not be used.",
        ko="첫 키를 쓸 수 없을 때 순서대로 대신할 키의 변수들.",
    ),
    "upstreams.NAME.organisation": Sentence(
        "Whom its keys belong to: keys of one organisation share its spend limit.",
        ko="키가 속한 조직. 같은 조직의 키는 지출 한도를 함께 씁니다.",
    ),
    "upstreams.NAME.models": Sentence(
        "The models served there; empty means all.", ko="제공하는 모델. 비우면 전부."
    ),
    "models.small": Sentence("The model for simple work.", ko="간단한 작업용 모델."),
    "models.standard": Sentence("The model for ordinary work.", ko="보통 작업용 모델."),
    "models.large": Sentence("The model for hard work.", ko="어려운 작업용 모델."),
    "failover.models": Sentence(
        "For a model, the models that may answer in its place when it is overloaded.",
        ko="모델이 과부하일 때 대신 응답할 모델들.",
    ),
    "fallback.text": Sentence(
        "What is answered when nothing else can be; without it the error is.",
        ko="응답할 수 없을 때 보낼 문장. 없으면 오류를 보냅니다.",
    ),
    "fallback.cached": Sentence(
        "Whether the last good answer to the very same request of the same caller may stand in.",
        ko="같은 호출자의 똑같은 요청에 대한 이전 답으로 대신할지 여부.",
    ),
    "fallback.keep": Sentence("How many answers are kept for that.", ko="대신하려고 보관하는 답의 수."),
    "fallback.max_age": Sentence(
        "Seconds for which a kept answer may stand in.", ko="보관한 답을 쓸 수 있는 시간(초)."
    ),
    "timeouts.deadline": Sentence(
        "Seconds for a whole call, every attempt and wait included.",
        ko="모든 시도와 대기를 포함한 호출 전체의 제한 시간(초).",
    ),
    "timeouts.connect": Sentence("Seconds to reach the upstream.", ko="업스트림 연결 제한 시간(초)."),
    "timeouts.stall": Sentence("Seconds that a stream may be silent.", ko="스트림이 조용해도 되는 시간(초)."),
    "timeouts.ping_every": Sentence(
        "Seconds between two pings of our own.", ko="holdfast가 보내는 ping 사이의 시간(초)."
    ),
    "timeouts.commit_after": Sentence(
        "Seconds after which a stream without content is begun with pings, so that the client stays.",
        ko="내용 없는 스트림을 ping으로 먼저 시작하기까지의 시간(초). 클라이언트가 끊지 않게 합니다.",
    ),
    "breaker.failure_threshold": Sentence(
        'Failures in a row that open the circuit; "none" counts no rows.',
        ko='서킷을 여는 연속 실패 수. "none"이면 세지 않습니다.',
    ),
    "breaker.failure_rate_threshold": Sentence(
        "Share of failures in the window that opens the circuit, from 0 to 1.",
        ko="서킷을 여는 구간 내 실패 비율(0~1).",
    ),
    "breaker.minimum_calls": Sentence(
        "Calls that the window must hold before a share counts.",
        ko="비율을 따지려면 구간에 있어야 하는 최소 호출 수.",
    ),
    "breaker.window": Sentence("Seconds that are looked back on.", ko="돌아보는 구간(초)."),
    "breaker.slow_call_rate_threshold": Sentence(
        'Share of slow calls that opens the circuit; "none" lets calls be slow.',
        ko='서킷을 여는 느린 호출 비율. "none"이면 따지지 않습니다.',
    ),
    "breaker.slow_call_duration_threshold": Sentence(
        "Seconds from which a call is slow.", ko="느린 호출로 보는 시간(초)."
    ),
    "breaker.success_threshold": Sentence(
        "Successes that close a half-open circuit.", ko="반열림 서킷을 닫는 성공 수."
    ),
    "breaker.permitted_calls_in_half_open": Sentence(
        "Calls that may try at once while half open.", ko="반열림 상태에서 동시에 시도할 수 있는 호출 수."
    ),
    "breaker.recovery_timeout": Sentence(
        "Seconds that a circuit stays open before it is tried; more after each failed try.",
        ko="서킷을 연 뒤 다시 시도하기까지의 시간(초). 실패할 때마다 늘어납니다.",
    ),
    "breaker.recovery_timeout_max": Sentence(
        "The most that time may grow to; by default four times as much.", ko="그 시간의 상한. 기본은 네 배."
    ),
    "breaker.permit_lease": Sentence(
        "Seconds after which a try that never ended is given to another.",
        ko="끝나지 않은 시도의 허가를 회수하기까지의 시간(초).",
    ),
    "gates.wait_max": Sentence(
        "The longest time, in seconds, that an upstream's word keeps a gate closed.",
        ko="업스트림의 말에 따라 게이트를 닫아 두는 최대 시간(초).",
    ),
    "gates.ramp_wait": Sentence(
        "Seconds for which a limit on growth closes its gate when the upstream names no time.",
        ko="업스트림이 시간을 말하지 않을 때 증가 제한 게이트를 닫아 두는 시간(초).",
    ),
    "gates.probe_interval": Sentence(
        "Seconds between two calls that may try a closed spend or credential gate.",
        ko="닫힌 지출·자격 증명 게이트를 시험하는 호출 사이의 간격(초).",
    ),
    "gates.ramp_factor": Sentence(
        "The share of the calls in flight that a limit on growth leaves.",
        ko="증가 제한을 받았을 때 남기는 동시 호출의 비율.",
    ),
    "gates.ramp_step": Sentence(
        "Seconds without such a limit after which one more call may be in flight.",
        ko="제한 없이 이 시간(초)이 지나면 동시 호출을 하나 늘립니다.",
    ),
    "gates.permit_lease": Sentence(
        "Seconds after which a call that was not heard of again gives its place free.",
        ko="소식이 끊긴 호출의 자리를 비우기까지의 시간(초).",
    ),
    "retry.attempts": Sentence("Attempts in all, the first included.", ko="첫 시도를 포함한 총 시도 수."),
    "retry.wait_initial": Sentence(
        "Seconds before the second attempt; doubled each time, with jitter.",
        ko="두 번째 시도까지의 대기(초). 매번 두 배가 되고 무작위로 흔듭니다.",
    ),
    "retry.wait_max": Sentence(
        "The longest wait between attempts, in seconds.", ko="시도 사이의 최대 대기(초)."
    ),
    "retry.throttle_wait_initial": Sentence(
        "The first wait after the upstream asked for less, in seconds.",
        ko="업스트림이 줄여 달라고 한 뒤의 첫 대기(초).",
    ),
    "retry.throttle_wait_max": Sentence(
        "The longest of these waits, in seconds.", ko="그런 대기의 최대값(초)."
    ),
    "retry.patience": Sentence(
        "The longest retry-after that a call waits for, in seconds; above it the caller is told.",
        ko="호출이 기다려 주는 retry-after의 최대값(초). 넘으면 호출자에게 알립니다.",
    ),
    "fairness.per_user": Sentence(
        "Calls of one subject that may wait for a quota.", ko="한 대상이 한도를 기다리게 할 수 있는 호출 수."
    ),
    "fairness.total": Sentence(
        "Calls of all that may wait for a quota.", ko="한도를 기다릴 수 있는 전체 호출 수."
    ),
    "fairness.max_wait": Sentence(
        "Seconds that a call waits; one that could not go by then is refused.",
        ko="기다리는 최대 시간(초). 그 안에 갈 수 없는 호출은 거절합니다.",
    ),
    "fleet.redis_url": Sentence(
        "The Redis over which workers share limits; better named in a variable if it holds a password.",
        ko="워커들이 한도를 나누는 Redis 주소. 비밀번호가 있으면 변수로 지정하세요.",
    ),
    "fleet.redis_url_env": Sentence(
        "The environment variable that holds that address.", ko="그 주소가 든 환경 변수 이름."
    ),
    "fleet.workers": Sentence(
        "How many workers there are: without Redis each grants its share of every limit.",
        ko="워커 수. Redis가 없으면 각 워커가 한도를 나누어 맡습니다.",
    ),
    "console.enabled": Sentence("Whether the console is served.", ko="콘솔을 제공할지 여부."),
    "console.hosts": Sentence(
        "Names by which browsers reach the console besides this machine's own.",
        ko="이 컴퓨터 이름 말고 브라우저가 콘솔에 접속하는 이름들.",
    ),
    "console.idle": Sentence(
        "Seconds without a click after which a login ends.", ko="아무 조작이 없으면 로그인이 끝나는 시간(초)."
    ),
    "console.longest": Sentence(
        "Seconds after which a login ends in any case.", ko="무조건 로그인이 끝나는 시간(초)."
    ),
    "simulator.seed": Sentence("Same seed, same answers.", ko="같은 값이면 같은 답을 합니다."),
    "simulator.time_scale": Sentence(
        "1 is as slow as the real API, 0 answers at once.", ko="1이면 실제 API 속도, 0이면 바로 답합니다."
    ),
    "telemetry.metrics": Sentence(
        "Who may read /metrics: open, admin, or off; by default open until there are keys.",
        ko="/metrics 공개 범위: open, admin, off. 기본은 키를 만들기 전까지 open.",
    ),
    "telemetry.otlp_endpoint": Sentence(
        "Where traces are sent by OTLP over HTTP; without it none are.",
        ko="추적을 보낼 OTLP(HTTP) 주소. 없으면 보내지 않습니다.",
    ),
    "telemetry.service_name": Sentence(
        "What this service is called in traces.", ko="추적에 쓰는 서비스 이름."
    ),
    "telemetry.sample_ratio": Sentence(
        "Share of traces that is kept, from 0 to 1; errors, refusals and the slowest are kept in any case.",
        ko="보관하는 추적의 비율(0~1). 오류, 거절, 가장 느린 요청은 항상 보관합니다.",
    ),
    "telemetry.slow_after": Sentence(
        'Seconds from which a request counts as slow; "none" takes the slowest hundredth.',
        ko='느린 요청으로 보는 시간(초). "none"이면 가장 느린 1%.',
    ),
    "telemetry.shutdown_timeout": Sentence(
        "Seconds that the last spans may take to be sent at shutdown.",
        ko="종료할 때 남은 스팬을 보내는 제한 시간(초).",
    ),
    "recorder.keep_days": Sentence("Days for which recorded bodies are kept.", ko="녹화한 본문의 보관 일수."),
    "recorder.max_bytes": Sentence(
        "Bytes that all recorded bodies together may take.", ko="녹화한 본문 전체의 최대 크기(바이트)."
    ),
}
