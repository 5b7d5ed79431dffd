# Runs the cases of the public WebSocket conformance suite (`autobahntestsuite` of PyPI) against an echo, many at a time.
#
# Its cases are written for Python 2 and for a library of that time. They are used as they are published; what they expect
# around them is here: text that is bytes, and a client that sends what no sound client sends, and says what came back.
#
# Reads {"host", "port", "tls", "cases": [beginnings of ids], "messages": most messages of a long case}, writes
# {id: [behaviour, behaviour of the close, why]}.
import asyncio
import binascii
import builtins
import codecs
import importlib.abc
import importlib.util
import json
import os
import re
import ssl
import struct
import sys
import types
import zlib

# How much longer than the suite a case waits before it gives up: machines that test are busy.
PATIENCE = 5
AT_ONCE = 16


def octets (text):
    return text if isinstance(text, (bytes, bytearray)) else text.encode('latin-1')


def text (octets):
    return bytes(octets).decode('latin-1')


# --- what the cases import ---------------------------------------------------------------------------------------

class WebSocketProtocol:
    STATE_CLOSED, STATE_CONNECTING, STATE_CLOSING, STATE_OPEN = range(4)
    CLOSE_STATUS_CODE_NORMAL = 1000
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = 1002
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = 1007


class Utf8Validator:
    def reset (self):
        self.decoder = codecs.getincrementaldecoder('utf-8')()

    def validate (self, part):
        try:
            self.decoder.decode(octets(part))
        except UnicodeDecodeError:
            return False, False, 0, 0
        return True, not self.decoder.getstate()[0], len(part), len(part)

    __init__ = reset


class Offer:
    def __init__ (self, acceptNoContextTakeover=True, acceptMaxWindowBits=True, requestNoContextTakeover=False,
                  requestMaxWindowBits=0):
        self.acceptNoContextTakeover, self.acceptMaxWindowBits = acceptNoContextTakeover, acceptMaxWindowBits
        self.requestNoContextTakeover, self.requestMaxWindowBits = requestNoContextTakeover, requestMaxWindowBits

    def __str__ (self):
        parts = ['permessage-deflate']
        if self.acceptNoContextTakeover:
            parts.append('client_no_context_takeover')
        if self.acceptMaxWindowBits:
            parts.append('client_max_window_bits')
        if self.requestNoContextTakeover:
            parts.append('server_no_context_takeover')
        if self.requestMaxWindowBits:
            parts.append('server_max_window_bits=%d' % self.requestMaxWindowBits)
        return '; '.join(parts)


def module (name, **contents):
    made = types.ModuleType(name)
    made.__path__ = []
    made.__dict__.update(contents)
    sys.modules[name] = made


SUITE = os.path.join(importlib.util.find_spec('autobahntestsuite').submodule_search_locations[0])
module('autobahn')
module('autobahn.websocket')
module('autobahn.websocket.protocol', WebSocketProtocol=WebSocketProtocol)
module('autobahn.websocket.utf8validator', Utf8Validator=Utf8Validator)
module('autobahn.websocket.compress', PerMessageDeflateOffer=Offer, PerMessageDeflateOfferAccept=None,
       PerMessageDeflateResponse=dict, PerMessageDeflateResponseAccept=None)
module('pkg_resources', resource_filename=lambda package, name: os.path.join(SUITE, name))
module('zope')
module('zope.interface', implements=lambda *interfaces: None)
module('twisted')
module('twisted.internet', reactor=None, interfaces=types.SimpleNamespace(IPushProducer=None))
builtins.xrange = range
builtins.text_to_hex = lambda value: binascii.b2a_hex(octets(value)).decode()


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec (self, name, path, target=None):
        if name == 'case' or re.fullmatch(r'case\d+\w*', name):
            return importlib.util.spec_from_loader(name, self)

    def create_module (self, spec):
        return None

    def exec_module (self, module):
        name = module.__name__
        file = os.path.join(SUITE, 'case', ('case' if name == 'case' and LOADING else name) + '.py')
        # Read as bytes that are text: what stands in quotes are the octets that are sent.
        with open(file, encoding='latin-1') as opened:
            source = opened.read()
        for old, new in (('(object, Case', '(Case'), ('binascii.b2a_hex', 'text_to_hex'), (' / self.', ' // self.')):
            source = source.replace(old, new)
        # Statements that only Python 2 knows print nothing of interest.
        source = re.sub(r'(?m)^( *)print .*$', r'\1pass', source)
        exec(compile(source, file, 'exec'), module.__dict__)


# `from case import Case` is meant of the module beside the cases.
LOADING = True
sys.meta_path.insert(0, Finder())
package = types.ModuleType('cases')
with open(os.path.join(SUITE, 'case', '__init__.py'), encoding='utf-8') as opened:
    exec(compile(opened.read(), 'cases', 'exec'), package.__dict__)
from case import Case  # noqa: E402


def plain (value):
    return text(value) if isinstance(value, (bytes, bytearray)) else value


# Compared as values; pickled texts of the same content may differ.
Case.compare = lambda self, one, other: ([tuple(map(plain, event)) for event in one]
                                         == [tuple(map(plain, event)) for event in other])


# --- the client ----------------------------------------------------------------------------------------------------

def masked (payload, key):
    count = len(payload)
    if not count:
        return b''
    pad = (key * (count // 4 + 1))[:count]
    return (int.from_bytes(payload, 'big') ^ int.from_bytes(pad, 'big')).to_bytes(count, 'big')


class Client(WebSocketProtocol):
    factory = types.SimpleNamespace(isServer=False)

    def __init__ (self, target, case):
        self.target, self.state = target, self.STATE_CONNECTING
        self.connectionWasOpen = self.closedByMe = self.failedByMe = self.droppedByMe = self.wasClean = False
        self.remoteCloseCode = self.remoteCloseReason = self.localCloseCode = self.localCloseReason = None
        self.perMessageCompressionOffers, self._perMessageCompress = [], None
        self.createWirelog, self.autoFragmentSize, self.trafficStats = True, 0, None
        self.txFrameStats, self.rxFrameStats = {}, {}
        self.timers, self.frames, self.deflated = [], [], False
        self.case = case(self)
        if hasattr(self.case, 'COUNT'):
            self.case.COUNT = min(self.case.COUNT, target['messages'])

    async def run (self):
        target = self.target
        self.reader, self.writer = await asyncio.open_connection(target['host'], target['port'], ssl=target['tls'], limit=1 << 25)
        offers = ''.join('Sec-WebSocket-Extensions: %s\r\n' % offer for offer in self.perMessageCompressionOffers)
        self.writer.write(('GET / HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                           'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n'
                           % (target['host'], target['port'], offers)).encode())
        head = (await self.reader.readuntil(b'\r\n\r\n')).decode()
        assert head.startswith('HTTP/1.1 101 ') and 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=' in head, head
        accepted = re.search(r'(?im)^sec-websocket-extensions: *(.*?)\r$', head)
        if accepted:
            self.agree(accepted.group(1))
        self.state, self.connectionWasOpen = self.STATE_OPEN, True
        began = asyncio.get_running_loop().time()
        self.case.onOpen()
        try:
            while True:
                await self.read_frame()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            self.state = self.STATE_CLOSED
            for timer in self.timers:
                timer.cancel()
            self.writer.transport.abort()
        self.case.onConnectionLost(self.failedByMe)
        took = asyncio.get_running_loop().time() - began
        why = '%s %s After %.1f s: %.200r' % (self.case.result, self.case.resultClose, took, self.case.received)
        return self.case.behavior, self.case.behaviorClose, why

    def agree (self, accepted):
        given = {}
        for part in accepted.split(';')[1:]:
            name, _, value = part.strip().partition('=')
            given[name] = value.strip('"')
        self._perMessageCompress = given
        self.ours = -int(given.get('client_max_window_bits') or 15)
        self.theirs = -int(given.get('server_max_window_bits') or 15)
        self.compressor = self.decompressor = None

    async def read_frame (self):
        first, second = await self.reader.readexactly(2)
        fin, rsv, opcode, count = first & 0x80, first >> 4 & 7, first & 15, second & 0x7f
        assert not second & 0x80, 'a masked frame from a server'
        if count == 126:
            count, = struct.unpack('!H', await self.reader.readexactly(2))
        elif count == 127:
            count, = struct.unpack('!Q', await self.reader.readexactly(8))
        payload = await self.reader.readexactly(count)
        self.rxFrameStats[opcode] = self.rxFrameStats.get(opcode, 0) + 1
        if opcode >= 8:
            assert fin and not rsv and count < 126, 'a control frame that is none'
            return self.control(opcode, payload)
        assert bool(self.frames) == (opcode == 0), 'a fragment out of its place'
        assert not rsv & 3 and (rsv == 0 or self._perMessageCompress is not None and opcode), 'reserved bits'
        if opcode:
            self.opcode, self.deflated = opcode, bool(rsv & 4)
        self.frames.append(payload)
        if not fin:
            return
        message, self.frames = b''.join(self.frames), []
        if self.deflated:
            if self.decompressor is None:
                self.decompressor = zlib.decompressobj(self.theirs)
            message = self.decompressor.decompress(message + b'\0\0\xff\xff')
            if 'server_no_context_takeover' in self._perMessageCompress:
                self.decompressor = None
        if self.opcode == 1:
            message.decode('utf-8')
        if self.state == self.STATE_OPEN:
            self.case.onMessage(message if hasattr(self.case, 'TESTDATA') else text(message), self.opcode == 2)

    def control (self, opcode, payload):
        if opcode == 9:
            # A server may ping when it likes: not what a case is about, and a pong might fall into the middle of a frame.
            pass
        elif opcode == 10:
            self.case.onPong(text(payload))
        elif opcode == 8 and self.remoteCloseCode is None:
            code = struct.unpack('!H', payload[:2])[0] if payload else None
            assert code is None or 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999, code
            self.remoteCloseCode, self.remoteCloseReason = code, payload[2:].decode('utf-8')
            self.wasClean = True
            if self.state == self.STATE_OPEN:
                self.sendCloseFrame(code, isReply=True)

    def write (self, octets, chopsize=None):
        if self.state != self.STATE_CLOSED:
            for at in range(0, len(octets), chopsize or len(octets) or 1):
                self.writer.write(octets[at:at + (chopsize or len(octets))])

    def header (self, opcode, fin, rsv, count, key):
        head = struct.pack('!B', (0x80 if fin else 0) | rsv << 4 | opcode)
        if count < 126:
            head += struct.pack('!B', 0x80 | count)
        elif count < 1 << 16:
            head += struct.pack('!BH', 0x80 | 126, count)
        else:
            head += struct.pack('!BQ', 0x80 | 127, count)
        return head + key

    def sendFrame (self, opcode, payload='', fin=True, rsv=0, mask=None, payload_len=None, chopsize=None, sync=False):
        payload, key = octets(payload), os.urandom(4)
        if payload_len is not None:
            payload = (payload * (payload_len // max(len(payload), 1) + 1))[:payload_len]
        self.txFrameStats[opcode] = self.txFrameStats.get(opcode, 0) + 1
        self.write(self.header(opcode, fin, rsv, len(payload), key) + masked(payload, key), chopsize)

    def sendMessage (self, payload, isBinary=False, fragmentSize=None, sync=False):
        payload, rsv, opcode = octets(payload), 0, 2 if isBinary else 1
        if self._perMessageCompress is not None:
            if self.compressor is None:
                self.compressor = zlib.compressobj(wbits=self.ours)
            payload = (self.compressor.compress(payload) + self.compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
            if 'client_no_context_takeover' in self._perMessageCompress:
                self.compressor = None
            rsv = 4
        size = fragmentSize or self.autoFragmentSize or len(payload) or 1
        parts = [payload[at:at + size] for at in range(0, len(payload), size)] or [b'']
        for index, part in enumerate(parts):
            self.sendFrame(opcode if index == 0 else 0, part, index == len(parts) - 1, rsv if index == 0 else 0)

    def beginMessage (self, isBinary=False):
        self.beginning = 2 if isBinary is True else 1

    def beginMessageFrame (self, length):
        self.key, self.at = os.urandom(4), 0
        self.write(self.header(self.beginning, False, 0, length, self.key))
        self.beginning = 0

    def sendMessageFrameData (self, payload, sync=False):
        payload = octets(payload)
        turned = self.key[self.at % 4:] + self.key[:self.at % 4]
        self.write(masked(payload, turned))
        self.at += len(payload)

    def endMessage (self):
        self.sendFrame(0, '', True)

    def sendClose (self, code=None, reason=None):
        self.sendCloseFrame(code, reason)

    def sendCloseFrame (self, code=None, reasonUtf8=None, isReply=False):
        if self.state != self.STATE_OPEN:
            return
        payload = b'' if code is None else struct.pack('!H', code) + octets(reasonUtf8 or '')
        self.sendFrame(8, payload)
        self.state, self.closedByMe = self.STATE_CLOSING, not isReply
        self.localCloseCode, self.localCloseReason = code, reasonUtf8
        self.later(20, self.drop)

    def drop (self):
        self.droppedByMe = True
        self.writer.transport.abort()

    def kill (self):
        if self.state == self.STATE_OPEN:
            self.failedByMe = self.closedByMe = True
            self.drop()

    def later (self, delay, act):
        self.timers.append(asyncio.get_running_loop().call_later(delay, lambda: self.state and act()))

    def continueLater (self, delay, fun, tag=None):
        self.later(delay, fun)

    def killAfter (self, delay):
        self.later(delay * PATIENCE, self.kill)

    def closeAfter (self, delay):
        self.later(delay * PATIENCE, self.sendClose)

    def enableWirelog (self, enable):
        pass


async def judge (target):
    results, turn, context = {}, asyncio.Semaphore(AT_ONCE), None
    if target['tls']:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    target['tls'] = context

    async def one (case):
        name = case.__name__[len('Case'):].replace('_', '.')
        if not any(name == wanted or name.startswith(wanted + '.') for wanted in target['cases']):
            return
        async with turn:
            try:
                results[name] = await Client(target, case).run()
            except (AssertionError, UnicodeDecodeError, zlib.error) as error:
                results[name] = 'FAILED', 'FAILED', repr(error)

    await asyncio.gather(*map(one, package.Cases))
    return results


print(json.dumps(asyncio.run(judge(json.load(sys.stdin)))))
