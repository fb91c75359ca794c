// All orders or payments of a span of time, with .NET 8 or newer alone:
//   TILLROLL_URL=... TILLROLL_MERCHANT=... TILLROLL_TOKEN=... \
//     dotnet run --project examples/csharp -- ORDERS 2026-01-01 2026-03-01 out/
using System.Globalization;
using System.Net.Http.Headers;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

const long LongestRange = 30L * 86_400_000; // the most that one export may cover, in milliseconds
const int Tries = 6; // for all that may pass but 503, which only says: not now
var createLimit = TimeSpan.FromDays(1); // a closed service opens again within a day
var exportLimit = TimeSpan.FromHours(2); // for one export to be made and downloaded

var service = (Environment.GetEnvironmentVariable("TILLROLL_URL") ?? "").TrimEnd('/');
var merchant = Environment.GetEnvironmentVariable("TILLROLL_MERCHANT") ?? "";
var token = Environment.GetEnvironmentVariable("TILLROLL_TOKEN") ?? "";
var type = args.ElementAtOrDefault(0) ?? "";
var first = Midnight(args.ElementAtOrDefault(1));
var last = Midnight(args.ElementAtOrDefault(2));
var directory = args.ElementAtOrDefault(3) ?? "";

string? problem =
    !Regex.IsMatch(service, @"^https?://\S+\z") ? "TILLROLL_URL must be an http(s) address"
    : merchant == "" ? "TILLROLL_MERCHANT must be set"
    : !Regex.IsMatch(token, @"^[!-~]+\z") ? "TILLROLL_TOKEN must be set, without blanks"
    : args.Length != 4 || directory == "" ? "four arguments are needed"
    : type is not ("ORDERS" or "PAYMENTS") ? "TYPE must be ORDERS or PAYMENTS"
    : first < 0 || last <= first ? "FROM and TO must be dates such as 2026-01-01, FROM before TO"
    : null;
if (problem is not null)
{
    Console.Error.WriteLine($"{problem} (usage: Export TYPE FROM TO OUT)");
    return 2;
}

// No redirect is followed: the token would go along.
using var handler = new HttpClientHandler { AllowAutoRedirect = false };
using var http = new HttpClient(handler) { Timeout = TimeSpan.FromMinutes(5) };
var exportsUrl = $"{service}/v3/merchants/{Uri.EscapeDataString(merchant)}/exports";
var member = type == "ORDERS" ? "total" : "amount";
var sums = new SortedDictionary<string, BigInteger>(StringComparer.Ordinal);
var count = 0L;

try
{
    Directory.CreateDirectory(directory);
    // Cells of 30 days since 1970: another run, or one of a longer span, asks for the same ranges.
    for (var start = first; start < last;)
    {
        var end = Math.Min((start / LongestRange + 1) * LongestRange, last);
        count += await ExportRange(start, end);
        start = end;
    }
    Console.WriteLine($"{count} objects");
    foreach (var (currency, sum) in sums) Console.WriteLine($"sum of {member}: {sum} {currency}");
    return 0;
}
catch (Exception error)
{
    Console.Error.WriteLine($"Export: {error.Message}");
    return 1;
}

// Milliseconds since 1970, UTC; -1 if it is not a date.
static long Midnight(string? text) =>
    DateTimeOffset.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture,
        DateTimeStyles.AssumeUniversal, out var day) ? day.ToUnixTimeMilliseconds() : -1;

static string Date(long time) => $"{DateTimeOffset.FromUnixTimeMilliseconds(time):yyyy-MM-dd}";

// The body of a good answer. What may pass is asked again, after growing pauses, until the deadline.
async Task<byte[]> Request(string address, DateTime deadline, bool withToken, string? json = null)
{
    var failed = 0;
    for (var asked = 0; ; asked++)
    {
        var status = 0;
        var body = Array.Empty<byte>();
        var wait = TimeSpan.Zero;
        try
        {
            var method = json is null ? HttpMethod.Get : HttpMethod.Post;
            using var request = new HttpRequestMessage(method, address);
            if (withToken) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
            if (json is not null) request.Content = new StringContent(json, Encoding.UTF8, "application/json");
            using var response = await http.SendAsync(request);
            body = await response.Content.ReadAsByteArrayAsync();
            var after = response.Headers.RetryAfter; // seconds or a date; null also when it makes no sense
            wait = after?.Delta ?? after?.Date - DateTimeOffset.UtcNow ?? TimeSpan.Zero;
            status = (int)response.StatusCode;
        }
        catch (Exception error) when (error is HttpRequestException or IOException or TaskCanceledException)
        {
            body = Encoding.UTF8.GetBytes(error.Message);
        }
        if (status is >= 200 and < 300) return body;
        if (status != 503) failed++;
        var text = Encoding.UTF8.GetString(body, 0, Math.Min(body.Length, 300));
        // Without its query: that of a file is its key, and belongs in no log.
        var trouble = $"{address.Split('?')[0]}: {(status == 0 ? "no answer" : status.ToString())} {text}";
        var pause = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, asked), 60));
        if (wait > pause) pause = wait;
        var mayPass = status is 0 or 429 or >= 500;
        if (!mayPass || failed == Tries || pause > deadline - DateTime.UtcNow) throw new Exception(trouble);
        Console.Error.WriteLine($"{trouble}; again in {Math.Ceiling(pause.TotalSeconds)} s");
        await Task.Delay(pause);
    }
}

async Task<long> ExportRange(long start, long end)
{
    // Were the answer lost, asking again makes a second export of the same range: a waste, no fault.
    var wanted = JsonSerializer.Serialize(new { type, startTime = start, endTime = end });
    var body = await Request(exportsUrl, DateTime.UtcNow + createLimit, true, wanted);
    var made = JsonNode.Parse(body)!;
    var id = made["id"]!.GetValue<string>();
    var status = made["status"]!.GetValue<string>();
    var deadline = DateTime.UtcNow + exportLimit;
    for (var pause = 0.25; status is "PENDING" or "IN_PROGRESS"; pause = Math.Min(pause * 1.5, 5))
    {
        if (DateTime.UtcNow > deadline) throw new Exception($"export {id} is still {status}");
        await Task.Delay(TimeSpan.FromSeconds(pause));
        body = await Request($"{exportsUrl}/{Uri.EscapeDataString(id)}", deadline, true);
        made = JsonNode.Parse(body)!;
        status = made["status"]!.GetValue<string>();
    }
    var reason = made["failure"]?["message"]?.GetValue<string>() ?? "no reason";
    if (status != "DONE") throw new Exception($"export {id} is {status}: {reason}");
    var urls = made["exportUrls"]?["elements"]?.AsArray() ?? new JsonArray();
    var files = made["files"]?["elements"]?.AsArray(); // Tillroll's alone
    if (files is not null && files.Count != urls.Count) throw new Exception($"export {id} lacks files");

    var objects = 0L;
    for (var position = 0; position < urls.Count; position++)
    {
        var name = Path.Combine(directory, $"{type.ToLowerInvariant()}-{start}-{position}.json");
        var address = urls[position]!["url"]!.GetValue<string>();
        // Nothing but http(s), and never from https down to http.
        var isSafe = address.StartsWith("https://", StringComparison.Ordinal)
            || (address.StartsWith("http://", StringComparison.Ordinal)
                && service.StartsWith("http://", StringComparison.Ordinal));
        if (!isSafe) throw new Exception($"{name}: its address is not safe: {address.Split('?')[0]}");
        body = await Request(address, deadline, false); // no token: the URL is its own key
        var elements = JsonNode.Parse(body)?["elements"] as JsonArray;
        var isWhole = elements is not null;
        if (files?[position] is { } expected)
        {
            var sha256 = Convert.ToHexString(SHA256.HashData(body)).ToLowerInvariant();
            isWhole = sha256 == expected["sha256"]!.GetValue<string>()
                && elements?.Count == expected["objects"]!.GetValue<int>();
        }
        if (elements is null || !isWhole) throw new Exception($"{name}: not the file of the manifest");
        foreach (var sale in elements)
        {
            // A payment that failed or was voided brought no money.
            if (type == "PAYMENTS" && sale!["result"]?.GetValue<string>() != "SUCCESS") continue;
            var currency = sale!["currency"]?.GetValue<string>() ?? "?";
            sums[currency] = sums.GetValueOrDefault(currency) + (sale[member]?.GetValue<long>() ?? 0);
        }
        await File.WriteAllBytesAsync($"{name}.part", body);
        File.Move($"{name}.part", name, overwrite: true); // what has the name is whole
        objects += elements.Count;
    }
    Console.WriteLine($"{type} {Date(start)} to {Date(end)}: {objects} objects, {urls.Count} files");
    return objects;
}
