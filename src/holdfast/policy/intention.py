"""What a tool does, as its name says, and whether somebody asked for it.

Names are all that is known of most tools, and words all that is known of a wish: this errs on the side of
taking a tool for one that acts, and a wish for one that was not made.
"""

import re
from collections.abc import Mapping

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SERVER = re.compile(r"^mcp__.{1,64}?__")


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


ACTING = _listed(
    """
    accept add append approve archive assign bash block book buy cancel charge close commit confirm
    copy create delete deploy disable drop edit email empty enable erase eval exec execute export
    forward grant import insert install invite invoke join kill leave mail make merge message modify
    move notebook open order overwrite patch pay place post print process publish purchase purge
    push put refund register reject release remember remove rename reply replace reset restart
    restore revoke rm run save schedule sell send set share shell sign start stop store submit
    subscribe terminal transfer trash trigger uninstall unlock unsubscribe update upload wipe wire
    write
    """
)
READING = _listed(
    """
    analyze browse calculate check compare count describe diff download explain fetch find get glob
    grep inspect list look lookup ls measure navigate peek preview query read recall retrieve scan
    search show summarize translate validate verify view watch
    """
)
TOLD = _listed(
    """
    availability balance count date detail details forecast history info information level price rate statistics stats
    status summary time total totals weather
    """
)
"""What a name ends with that tells of something."""
THINGS = _listed("deploy order process release store")
"""Verbs that are as often the thing that is told of: `order_status`, unlike `post_status`."""
_ASKED: Mapping[str, str] = {
    "send": r"보내|전송|발송|전달|답장|회신|env[ií]|schick|sende|inoltr|invia|送|发|發|отправ|gửi|kirim|gönder|भेज|ส่ง|أرسل",
    "mail": r"메일|편지|correo|courriel|e-?mail|mail|邮件|郵件|メール|письм|почт|thư|eposta",
    "save": r"저장|기록|적어|써|guard|speicher|enregistr|sauvegard|salv|保存|сохран|lưu|simpan|kaydet",
    "file": r"파일|문서|archiv|datei|fichier|文件|ファイル|файл|tệp|berkas|dosya",
    "delete": r"삭제|지워|제거|borra|elimin|lösch|supprim|effac|apag|删除|刪除|削除|удал|xóa|hapus|\bsil",
    "transfer": r"송금|이체|입금|지불|결제|überweis|virement|\bvire|\bpag|zahl|转账|轉帳|送金|振込|перевед|оплат|chuyển|bayar",
    "create": r"만들|생성|작성|등록|추가|예약|잡아|crea|cré|erstell|anleg|cri[ae]|创建|創建|作成|созда|tạo|buat|oluştur",
    "update": r"수정|변경|바꿔|고쳐|갱신|actualiz|änder|modif|atualiz|更新|修改|変更|измен|обнов|cập nhật|ubah|güncelle",
    "run": r"실행|돌려|ejecut|ausführ|exécut|lanc|execut|运行|執行|実行|запуст|выполн|chạy|jalankan|çalıştır",
    "post": r"올려|게시|공유|public|veröffentlich|teil|part(?:ag|ilh)|发布|投稿|共有|опублик|đăng|paylaş",
    "cancel": r"취소|해지|cancel|stornier|annul|取消|キャンセル|отмен|hủy|batal|iptal",
    "book": r"예약|reserv|buch|réserv|预订|預訂|予約|заброн|đặt|pesan|rezerv",
}
_SAME: Mapping[str, str] = dict(
    pair.split(":")
    for pair in _listed(
        """
    write:save store:save append:save put:save reply:send forward:send message:send email:mail
    notify:send pay:transfer wire:transfer refund:transfer remove:delete erase:delete trash:delete
    rm:delete purge:delete wipe:delete drop:delete empty:delete add:create insert:create make:create
    register:create schedule:create edit:update modify:update patch:update set:update rename:update
    replace:update execute:run exec:run bash:run shell:run eval:run invoke:run publish:post
    share:post upload:post submit:post order:book reserve:book purchase:book buy:book document:file
    note:save remember:save event:book
    """
    )
)
_ENGLISH: Mapping[str, str] = {
    "send": r"\b(?:sen[dt]|reply|replies|respond|answer|forward|tell|let\s.{1,30}know|notif|messag)",
    "mail": r"\b(?:e-?mail|mail|reply|respond|write\s(?:to|back))",
    "save": r"\b(?:sav(?:e|ing)|writ(?:e|ing)|stor(?:e|ing)|put|keep|record|note|remember|append|log)",
    "file": r"\b(?:file|document|note)",
    "delete": r"\b(?:delet|remov|erase|trash|clean|clear|get rid|wipe|empty)",
    "transfer": r"\b(?:transfer|pay|wire|refund|settle)",
    "create": r"\b(?:creat|add|make|set up|open|register|schedul|book|put|a new)",
    "update": r"\b(?:updat|chang|edit|modif|set|renam|replac|fix|correct|mov)",
    "run": r"\b(?:run|execut|start|launch|test|build|install)",
    "post": r"\b(?:post|publish|shar|upload|submit)",
    "cancel": r"\b(?:cancel|call off)",
    "book": r"\b(?:book|reserv|order|buy|purchas|schedul)",
}


def words_of(tool: str) -> tuple[str, ...]:
    """The words in the name of a tool, whichever way they are joined; without the server of an MCP tool."""
    return tuple(word.lower() for word in _WORD.findall(_SERVER.sub("", tool)))


def acts(tool: str) -> bool:
    """Whether a tool does something that is not undone by forgetting its answer.

    A name that begins like one that reads is one that reads (`get_order`), and so is one that names what it tells
    (`order_status`, `account_balance`); one that says neither acts.
    """
    words = words_of(tool)
    verbs = [word for word in words if word in ACTING or word in READING]
    if {"and", "then", "or"}.intersection(words):
        return any(verb in ACTING for verb in verbs)
    if len(words) > 1 and words[-1] in TOLD and all(verb in THINGS for verb in verbs):
        return False
    return not verbs or verbs[0] in ACTING


def is_asked_for(tool: str, words: str) -> bool:
    """Whether somebody who said this may have meant such a tool; `words` are in small letters."""
    parts = words_of(tool)
    verbs = [word for word in parts if word in ACTING] or [*parts]
    return any(_asks(verb, words) for verb in verbs)


def makes(tool: str) -> bool:
    """Whether a tool makes something new, whose name may be the model's to choose."""
    return any(_SAME.get(word, word) in ("save", "create", "book") for word in words_of(tool))


def _asks(verb: str, words: str) -> bool:
    concept = _SAME.get(verb, verb)
    patterns = (_ENGLISH.get(concept), _ASKED.get(concept), rf"\b{re.escape(verb)}")
    return any(pattern is not None and re.search(pattern, words) for pattern in patterns)
